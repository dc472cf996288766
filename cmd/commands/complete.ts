import { runCommand, type CommandDef, type SubCommandsDef } from "citty";

import { AgnesError } from "../../lib/base/mod.ts";
import { command, resolved, type AnyCommand } from "../console/command.ts";

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
        reason: `${JSON.stringify(args.shell)} is not a shell that can be completed`,
        next: `The shells are ${shells.join(", ")}.`,
      });
    }
    await runCompletion([args.shell]);
  },
});

/** Answers `agnes complete -- WORD…`, which the printed script calls at every Tab. */
export async function runCompletion(rawArgs: readonly string[]): Promise<void> {
  const { default: tab } = await import("@bomb.sh/tab/citty");
  const { mainCommand } = await import("../main-command.ts");
  const root = await eager(mainCommand);
  await tab(root as CommandDef);
  const subCommands = await resolved(root.subCommands);
  const complete = (await resolved(subCommands?.["complete"])) as AnyCommand;
  await runCommand(complete, { rawArgs: [...rawArgs] });
}

/** The library wants a tree in which nothing is lazy. */
async function eager(lazyCommand: AnyCommand): Promise<AnyCommand> {
  const meta = await resolved(lazyCommand.meta);
  const subCommands = await resolved(lazyCommand.subCommands);
  const args = await resolved(lazyCommand.args);
  if (subCommands === undefined) return { ...(meta && { meta }), ...(args && { args }) };
  const entries = await Promise.all(
    Object.entries(subCommands).map(async ([name, sub]) => [
      name,
      await eager((await resolved(sub)) as AnyCommand),
    ]),
  );
  return { ...(meta && { meta }), subCommands: Object.fromEntries(entries) as SubCommandsDef };
}
