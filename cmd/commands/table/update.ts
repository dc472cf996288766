import { AgnesError } from "../../../lib/base/mod.ts";
import { command } from "../../cli/command.ts";
import { openAgnes } from "../../workspace/open-agnes.ts";
import { changeFlags, changeFrom, changeOptions, fieldFlags, settableFields } from "../../tables/fields.ts";
import { reportWrite } from "../../tables/report-write.ts";
import { warnOfSource } from "../../tables/warn-of-source.ts";

/** Fields that refer to tables or columns of the source. */
const fieldsOfSource = [
  "sourceTable",
  "primaryKey",
  "columns",
  "incrementalColumn",
  "partitionBy",
  "whereFilters",
  "columnMetadata",
];

const fields = ["source_table", ...settableFields] as const;

export default command({
  args: {
    table: {
      type: "positional",
      required: true,
      valueHint: "TABLE",
      description: "Id or view name of a table",
    },
    ...fieldFlags(fields),
    clear: {
      type: "string",
      valueHint: "FIELD,FIELD",
      description: "Fields to reset to their default",
    },
    ...changeFlags,
  },
  examples: [
    "agnes table update crm.orders --schedule 'daily 05:00,17:00'",
    "agnes table update orders --as crm_orders",
    "agnes table update orders --clear schedule,description --expect-version 7",
  ],
  async run(cli, args) {
    await using agnes = await openAgnes(cli);
    const registry = await agnes.tables();
    const change = changeFrom(cli.name, fields, args);
    if (Object.keys(change).length === 0) {
      throw new AgnesError("usage_wrong", { command: cli.name, reason: "no field to change" });
    }
    const { id } = await registry.find(args.table);
    const write = await registry.update(id, change, changeOptions(cli.name, args));
    await reportWrite(cli, write, "changed");
    if (fieldsOfSource.some((field) => Object.hasOwn(change, field)))
      await warnOfSource(cli, agnes, write.table);
  },
});
