import { command } from "../../cli/command.ts";
import { requiredServer, serverOnlyArgs } from "../../server/server-args.ts";
import { printSubscription, readSubscription } from "../../server/subscription.ts";

export default command({
  args: { ...serverOnlyArgs },
  examples: ["agnes subscription show --server https://agnes.example.com"],
  async run(cli, args) {
    const server = await requiredServer(cli, args.server);
    await printSubscription(cli, server, await readSubscription(server));
  },
});
