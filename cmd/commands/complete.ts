import type { Command, RootCommand } from "@bomb.sh/tab";
import type { ArgsDef } from "citty";

import { AgnesError } from "../../lib/base/mod.ts";
import { command, resolved, type AnyCommand } from "../cli/command.ts";
import { plainBashScript } from "../completion/bash-script.ts";
import { argumentValues, workspaceNames, type WorkspaceNames } from "../completion/completion-values.ts";
import { globalArgs } from "../cli/global-args.ts";
import { writeOut } from "../terminal/stdout.ts";

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
    await runCompletion([args.shell]);
  },
});

/** Prints the script of a shell, or the completions for `agnes complete -- ARG…`, which that script calls. */
export async function runCompletion(rawArgs: readonly string[]): Promise<void> {
  const { RootCommand } = await import("@bomb.sh/tab");
  const root = new RootCommand();
  const [shell, ...commandLine] = rawArgs;
  if (shell !== "--") {
    const script = printedBy(() => root.setup("agnes", "agnes", shell!));
    return writeOut(shell === "bash" ? plainBashScript(script) : script);
  }
  const { mainCommand } = await import("../main-command.ts");
  const at = commandLine.indexOf("--workspace");
  const names = await workspaceNames(at === -1 ? undefined : commandLine[at + 1]);
  await declare(root, root, mainCommand, "agnes", { names, typed: commandLine.at(-1) ?? "" });
  await writeOut(printedBy(() => root.parse(commandLine)));
}

/** Declares a command to the library, with its arguments, their possible values, and its subcommands. */
async function declare(
  root: RootCommand,
  target: Command,
  definition: AnyCommand,
  name: string,
  known: { readonly names: WorkspaceNames; readonly typed: string },
): Promise<void> {
  const args: ArgsDef = { ...globalArgs, ...(await resolved(definition.args)) };
  for (const [key, arg] of Object.entries(args)) {
    const description = arg.description ?? "";
    const complete = (add: (value: string, description: string) => void): void => {
      for (const value of argumentValues(name, arg, known)) add(value, description);
    };
    const [alias] = "alias" in arg ? [arg.alias ?? []].flat() : [];
    if (arg.type === "positional") target.argument(key, complete, arg.valueHint?.endsWith("…"));
    else if (arg.type !== "boolean") target.option(key, description, complete, alias);
    else if (arg.default === true) target.option(`no-${key}`, arg.negativeDescription ?? description);
    else target.option(key, description, alias);
  }
  for (const [subName, sub] of Object.entries((await resolved(definition.subCommands)) ?? {})) {
    const child = (await resolved(sub)) as AnyCommand;
    const path = `${name} ${subName}`;
    const description = (await resolved(child.meta))?.description ?? "";
    await declare(root, root.command(path.slice("agnes ".length), description), child, path, known);
  }
}

/** Captures the output of `console.log`, which does not report write errors. */
function printedBy(work: () => void): string {
  const lines: string[] = [];
  const { log } = console;
  console.log = (line: string) => void lines.push(line);
  try {
    work();
  } finally {
    console.log = log;
  }
  return lines.map((line) => `${line}\n`).join("");
}
