import { createHost, currentActor } from "../../../lib/base/mod.ts";
import { command } from "../../cli/command.ts";
import { storedToken } from "../../serve/stored-token.ts";
import { openAgnes } from "../../workspace/open-agnes.ts";

export default command({
  args: {
    id: {
      type: "positional",
      required: true,
      valueHint: "ID",
      description: "Id of a token; see `agnes token list`",
    },
  },
  examples: ["agnes token revoke 4f7c0m2k9x1a"],
  async run(cli, args) {
    await using agnes = await openAgnes(cli);
    const tokens = await agnes.tokens();
    const removed = await tokens.revoke(args.id, { actor: currentActor(createHost()) });
    if (cli.json) return await cli.printJson(storedToken(removed));
    cli.info(`revoked the token ${removed.id} (${removed.name})`);
  },
});
