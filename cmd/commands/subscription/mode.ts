import { command } from "../../cli/command.ts";
import { requiredServer, serverOnlyArgs } from "../../server/server-args.ts";
import { changeSubscription, printSubscription } from "../../server/subscription.ts";
import { choiceOf } from "../../tables/fields.ts";

const MODES = ["all", "explicit"] as const;

export default command({
  args: {
    ...serverOnlyArgs,
    mode: {
      type: "positional",
      required: true,
      valueHint: MODES.join("|"),
      description: "all: every table; explicit: what `agnes subscription add` chose",
    },
  },
  examples: ["agnes subscription mode explicit", "agnes subscription mode all"],
  async run(cli, args) {
    const mode = choiceOf(cli.name, "MODE", args.mode, MODES);
    const server = await requiredServer(cli, args.server);
    await printSubscription(cli, server, await changeSubscription(server, { table_mode: mode }));
  },
});
