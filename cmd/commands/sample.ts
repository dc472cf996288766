import { quoteIdentifier } from "../../lib/duckdb/mod.ts";
import { command } from "../cli/command.ts";
import { checkTableName } from "../cli/table-name.ts";
import { serverTable } from "../server/catalog.ts";
import { printServerQuery } from "../server/print-query.ts";
import { serverArgs, serverOf } from "../server/server-args.ts";
import { openAgnes } from "../workspace/open-agnes.ts";
import { printResult } from "../results/print-result.ts";
import { wholeNumber } from "../cli/strict-args.ts";

export default command({
  args: {
    ...serverArgs,
    table: {
      type: "positional",
      required: true,
      valueHint: "TABLE",
      description: "A table of the catalog, by view name or SOURCE.TABLE",
    },
    rows: { type: "string", alias: "n", default: "10", valueHint: "N", description: "Number of rows" },
    random: { type: "boolean", description: "Random rows instead of the first; reads the whole table" },
  },
  examples: ["agnes sample orders", "agnes sample orders --rows 3 --random"],
  async run(cli, args) {
    const rows = wholeNumber(cli.name, "--rows", args.rows)!;
    const random = args.random === true;
    const format = cli.json ? "json" : "table";
    const server = serverOf(cli, args.server);
    checkTableName(cli, args.table);
    if (server !== undefined) {
      const { id } = await serverTable(server, args.table);
      return printServerQuery(cli, server, { sql: sampleSql(id, rows, random) }, { format });
    }
    await using agnes = await openAgnes(cli);
    const result = await agnes.sample(args.table, rows, { random, signal: cli.signal });
    await printResult(cli, result, { format });
  },
});

/** The SQL of a sample, as a workspace runs it. */
function sampleSql(id: string, rows: number, random: boolean): string {
  const dot = id.indexOf(".");
  const table = [id.slice(0, dot), id.slice(dot + 1)].map(quoteIdentifier).join(".");
  const part = random ? `USING SAMPLE reservoir(${rows} ROWS)` : `LIMIT ${rows}`;
  return `SELECT * FROM ${table} ${part}`;
}
