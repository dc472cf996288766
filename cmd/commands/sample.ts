import { command } from "../cli/command.ts";
import { openAgnes } from "../workspace/open-agnes.ts";
import { printResult } from "../results/print-result.ts";
import { wholeNumber } from "../cli/strict-args.ts";

export default command({
  args: {
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
    await using agnes = await openAgnes(cli);
    const result = await agnes.sample(args.table, rows, { random: args.random === true, signal: cli.signal });
    await printResult(cli, result, { format: cli.json ? "json" : "table" });
  },
});
