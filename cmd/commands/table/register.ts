import { AgnesError } from "../../../lib/base/mod.ts";
import { command } from "../../cli/command.ts";
import { openRegistry } from "../../server/open-registry.ts";
import { serverArgs } from "../../server/server-args.ts";
import {
  registryChangeFlags,
  changeFrom,
  changeOptions,
  fieldFlags,
  settableFields,
} from "../../tables/fields.ts";
import { nextStep, reportWrite } from "../../tables/report-write.ts";

const fields = ["name", ...settableFields] as const;

export default command({
  args: {
    ...serverArgs,
    source: {
      type: "positional",
      required: true,
      valueHint: "SOURCE",
      description: "A source of agnes.yaml",
    },
    table: {
      type: "positional",
      required: false,
      valueHint: "TABLE",
      description:
        "Name of the table in its source, of which a JSON query selects rows. Omit it for an SQL query, and set --name",
    },
    ...fieldFlags(fields),
    ...registryChangeFlags,
  },
  examples: [
    "agnes table register crm orders",
    "agnes table register crm in.c-main.orders --as orders --primary-key id --schedule 'every 6h'",
    "agnes table register crm events --strategy partitioned --partition-by created_at --dry-run",
  ],
  async run(cli, args) {
    await using registry = await openRegistry(cli, args.server);
    const change = {
      ...changeFrom(cli.name, fields, args),
      source: args.source,
      ...(args.table === undefined ? {} : { sourceTable: args.table }),
    };
    if (change.sourceTable === undefined && change.name === undefined && change.sourceQuery === undefined)
      throw new AgnesError("usage_wrong", {
        command: cli.name,
        reason: "TABLE is missing",
        next: registry.advice(
          `\`agnes table discover ${change.source} --dry-run\` lists the tables of the source.`,
        ),
      });
    const options = { ...changeOptions(cli.name, args), isSourceChecked: true };
    const write = await registry.register(change, options);
    await reportWrite(cli, write, "registered", nextStep(registry, `agnes sync ${write.table.id}`));
  },
});
