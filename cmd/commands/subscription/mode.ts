import { AgnesError } from "../../../lib/base/mod.ts";
import type { Cli } from "../../cli/cli.ts";
import { command } from "../../cli/command.ts";
import type { ServerClient } from "../../server/client.ts";
import { leavingText } from "../../server/leaving-tables.ts";
import { requiredServer, serverOnlyArgs } from "../../server/server-args.ts";
import { changeSubscription, printSubscription, readSubscription } from "../../server/subscription.ts";
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
    yes: { type: "boolean", alias: "y", description: "Do not ask for confirmation on a terminal" },
  },
  examples: ["agnes subscription mode explicit", "agnes subscription mode all"],
  async run(cli, args) {
    const mode = choiceOf(cli.name, "MODE", args.mode, MODES);
    const server = await requiredServer(cli, args.server);
    if (mode === "explicit") await confirmExplicit(cli, server, args.yes === true);
    await printSubscription(cli, server, await changeSubscription(server, { table_mode: mode }));
  },
});

/** Shows which tables leave the copies, and asks on a terminal. @throws `aborted` if the answer is no */
async function confirmExplicit(cli: Cli, server: ServerClient, isConfirmed: boolean): Promise<void> {
  const before = await readSubscription(server);
  const text = before.table_mode === "explicit" ? null : await leavingText(server, before);
  if (text === null) return;
  if (!cli.json) cli.info(text);
  if (isConfirmed || (await cli.confirm("Subscribe to the chosen tables only?"))) return;
  const error = new AgnesError("aborted", { what: `\`${cli.name}\`` });
  const hint = "Run it again and choose Yes, or add --yes. `agnes subscription add` chooses tables.";
  throw error.withDetails(error.details, { texts: { message: "the mode is still all", hint } });
}
