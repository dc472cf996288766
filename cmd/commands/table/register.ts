import { knownSource } from "../../tables/known-source.ts";
import { command } from "../../cli/command.ts";
import { openAgnes } from "../../workspace/open-agnes.ts";
import {
  registryChangeFlags,
  changeFrom,
  changeOptions,
  fieldFlags,
  settableFields,
} from "../../tables/fields.ts";
import { reportWrite } from "../../tables/report-write.ts";
import { warnOfSource } from "../../tables/warn-of-source.ts";

const fields = ["name", ...settableFields] as const;

export default command({
  args: {
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
    await using agnes = await openAgnes(cli);
    const registry = await agnes.tables();
    knownSource(agnes.workspace, args.source);
    const change = {
      ...changeFrom(cli.name, fields, args),
      source: args.source,
      ...(args.table === undefined ? {} : { sourceTable: args.table }),
    };
    const write = await registry.register(change, changeOptions(cli.name, args));
    await reportWrite(cli, write, "registered", `agnes sync ${write.table.id}`);
    await warnOfSource(cli, agnes, write.table);
  },
});
