import { command } from "../cli/command.ts";
import { openAgnes } from "../workspace/open-agnes.ts";
import { runSync } from "../sync/run-sync.ts";

export default command({
  args: {
    source: {
      type: "positional",
      required: false,
      valueHint: "SOURCE|SOURCE.TABLE|VIEW …",
      description: "Sources, or tables by id or view name, to sync; default: all",
    },
    full: { type: "boolean", description: "Read all data again, not only new rows" },
    due: { type: "boolean", description: "Only tables that are due by their schedule" },
  },
  examples: [
    "agnes sync",
    "agnes sync crm exports.orders",
    "agnes sync orders",
    "agnes sync crm --full",
    "agnes sync --due",
  ],
  async run(cli, args) {
    await using agnes = await openAgnes(cli, { quietLog: "connectors" });
    for (const { error } of agnes.plugins.failures()) cli.warn(error.message);
    return await runSync(cli, agnes, { only: args._, full: args.full === true, due: args.due === true });
  },
});
