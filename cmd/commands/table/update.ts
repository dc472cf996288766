import { AgnesError } from "../../../lib/base/mod.ts";
import { command } from "../../cli/command.ts";
import { checkTableName } from "../../cli/table-name.ts";
import { openRegistry } from "../../server/open-registry.ts";
import { serverArgs } from "../../server/server-args.ts";
import { changeFlags, changeFrom, changeOptions, fieldFlags, settableFields } from "../../tables/fields.ts";
import { nextStep, reportWrite } from "../../tables/report-write.ts";

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

/** Fields without whose sync queries still use the earlier name or data. */
const fieldsOfView = ["viewName", "queryMode", "sourceQuery"];

const fields = ["source_table", ...settableFields] as const;

export default command({
  args: {
    ...serverArgs,
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
    checkTableName(cli, args.table);
    await using registry = await openRegistry(cli, args.server);
    const change = changeFrom(cli.name, fields, args);
    if (Object.keys(change).length === 0) {
      throw new AgnesError("usage_wrong", { command: cli.name, reason: "no field to change" });
    }
    const isSourceChecked = fieldsOfSource.some((field) => Object.hasOwn(change, field));
    const table = await registry.find(args.table);
    const write = await registry.update(table, change, {
      ...changeOptions(cli.name, args),
      isSourceChecked,
    });
    const isPublishedLater = fieldsOfView.some((field) => Object.hasOwn(change, field));
    await reportWrite(
      cli,
      write,
      "changed",
      isPublishedLater ? nextStep(registry, `agnes sync ${write.table.id}`) : undefined,
    );
  },
});
