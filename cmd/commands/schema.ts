import type { DocumentedTable } from "../../lib/query/mod.ts";
import type { Cli } from "../cli/cli.ts";
import { command } from "../cli/command.ts";
import { checkTableName } from "../cli/table-name.ts";
import { schemaJson, storedDocumentation } from "../server/catalog-json.ts";
import { serverTable } from "../server/catalog.ts";
import { serverArgs, serverOf } from "../server/server-args.ts";
import { openAgnes } from "../workspace/open-agnes.ts";
import { printRows, textColumn } from "../terminal/print-rows.ts";

export default command({
  args: {
    ...serverArgs,
    table: {
      type: "positional",
      required: true,
      valueHint: "TABLE",
      description: "A table of the catalog, by view name or SOURCE.TABLE",
    },
  },
  examples: ["agnes schema orders"],
  async run(cli, args) {
    const server = serverOf(cli, args.server);
    checkTableName(cli, args.table);
    const table = await (server === undefined
      ? localTable(cli, args.table)
      : serverTable(server, args.table));
    if (cli.json) return cli.printJson(schemaJson(table));
    if (table.description !== "") cli.info(`${table.name}: ${table.description}\n`);
    if (table.readAs !== null) cli.info(`read as ${table.readAs}\n`);
    if (table.primaryKey.length > 0) cli.info(`primary key ${table.primaryKey.join(", ")}\n`);
    await printRows(
      cli,
      ["column", textColumn("type"), "null", textColumn("description")],
      table.schema.map((column) => [
        column.name,
        column.type,
        column.nullable ? "yes" : "no",
        column.description,
      ]),
    );
    for (const line of documentationLines(table)) cli.info(line);
  },
});

async function localTable(cli: Cli, name: string): Promise<DocumentedTable> {
  await using agnes = await openAgnes(cli);
  return await agnes.describe(name);
}

/** The documentation of a table in the registry, one fact per line. */
function documentationLines(table: DocumentedTable): readonly string[] {
  const { foreignKeys, sourceMetadata } = table;
  const keys = foreignKeys.map(({ column, references, description }) =>
    [`${column} refers to ${references}`, ...(description ? [description] : [])].join(": "),
  );
  const facts = Object.entries(storedDocumentation(table)).flatMap(([part, value]) =>
    [value ?? []].flat().map((item) => {
      const text = typeof item === "string" ? item : `${item.key}: ${item.body}`;
      return `${part.replaceAll("_", " ")}: ${text}`;
    }),
  );
  const noted = Object.entries(sourceMetadata).map(
    ([name, value]) => `source metadata: ${name} = ${JSON.stringify(value)}`,
  );
  return [...keys, ...facts, ...noted];
}
