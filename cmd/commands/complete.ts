import { AgnesError } from "../../lib/base/mod.ts";
import { command } from "../cli/command.ts";
import { printScript } from "../completion/completions.ts";

const shells = ["bash", "zsh", "fish", "powershell"] as const;

export default command({
  args: {
    shell: {
      type: "positional",
      required: true,
      valueHint: shells.join("|"),
      description: "Shell to print the completion script for",
    },
  },
  examples: ["source <(agnes complete bash)", "agnes complete fish > ~/.config/fish/completions/agnes.fish"],
  async run(cli, args) {
    if (!shells.some((shell) => shell === args.shell)) {
      throw new AgnesError("usage_wrong", {
        command: cli.name,
        reason: `${JSON.stringify(args.shell)} is not a supported shell`,
        next: `The shells are ${shells.join(", ")}.`,
      });
    }
    await printScript(args.shell);
  },
});
