import { command } from "../console/command.ts";
import { openAgnes } from "../console/open-agnes.ts";
import { printRows } from "../console/print-rows.ts";

export default command({
  args: {
    table: {
      type: "positional",
      required: true,
      valueHint: "TABLE",
      description: "A table of the catalog, by the name SQL uses or as SOURCE.TABLE",
    },
  },
  examples: ["agnes schema orders"],
  async run(cli, args) {
    await using agnes = await openAgnes(cli);
    const table = await agnes.describe(args.table);
    if (cli.json) return await cli.printJson(table);
    if (table.description !== "") cli.say(`${table.name}: ${table.description}\n`);
    if (table.readAs !== null) cli.say(`read as ${table.readAs}\n`);
    await printRows(
      cli,
      ["column", "type", "null", "description"],
      table.schema.map((column) => [
        column.name,
        column.type,
        column.nullable ? "yes" : "no",
        column.description,
      ]),
    );
  },
});
