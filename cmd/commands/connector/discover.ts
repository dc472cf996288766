import { command } from "../../console/command.ts";
import { openAgnes } from "../../console/open-agnes.ts";
import { printRows } from "../../console/print-rows.ts";

export default command({
  args: {
    source: {
      type: "positional",
      required: true,
      valueHint: "SOURCE",
      description: "A source of agnes.yaml",
    },
  },
  examples: ["agnes connector discover exports"],
  async run(cli, args) {
    await using agnes = await openAgnes(cli);
    const tables = await agnes.connectors.discover(args.source, { signal: cli.signal });
    if (cli.json) {
      return await cli.printJson({
        tables: tables.map(({ schema, ...table }) => ({
          ...table,
          columns: schema.fields.map(({ name, type, nullable }) => ({ name, type: String(type), nullable })),
        })),
      });
    }
    await printRows(
      cli,
      ["table", { name: "columns", align: "right" }, "primary key", "cursor", "description"],
      tables.map((table) => [
        table.name,
        String(table.schema.fields.length),
        table.primaryKey.join(", "),
        table.cursor ?? "",
        table.description ?? "",
      ]),
    );
    if (tables.length === 0) cli.say(`${args.source} has no tables.`);
  },
});
