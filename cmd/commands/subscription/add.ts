import { command } from "../../cli/command.ts";
import { requiredServer } from "../../server/server-args.ts";
import { choiceArgs, setChoices } from "../../server/subscription.ts";

export default command({
  args: choiceArgs,
  examples: [
    "agnes subscription add orders shop.customers",
    "agnes subscription add --group sales --folder eu",
  ],
  async run(cli, args, valuesOf) {
    await setChoices(cli, await requiredServer(cli, args.server), {
      tables: args._,
      groups: valuesOf("group"),
      folders: valuesOf("folder"),
      isSubscribed: true,
    });
  },
});
