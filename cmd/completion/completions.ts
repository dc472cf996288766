import type { Command, RootCommand } from "@bomb.sh/tab";
import type { ArgsDef } from "citty";

import { globalArgs } from "../cli/global-args.ts";
import { resolved, type AnyCommand } from "../cli/command.ts";
import { writeOut } from "../terminal/stdout.ts";
import { plainBashScript } from "./bash-script.ts";
import { argumentValues, workspaceNames, type WorkspaceNames } from "./completion-values.ts";

/** Prints the completion script of a shell, which calls `agnes complete -- ARG…`. */
export async function printScript(shell: string): Promise<void> {
  const root = await newRoot();
  const script = printedBy(() => root.setup("agnes", "agnes", shell));
  await writeOut(shell === "bash" ? plainBashScript(script) : script);
}

/** Prints the completions of a command line for the script of a shell. */
export async function printCompletions(command: AnyCommand, commandLine: readonly string[]): Promise<void> {
  const root = await newRoot();
  const at = commandLine.indexOf("--workspace");
  const names = await workspaceNames(at === -1 ? undefined : commandLine[at + 1]);
  const isServerNamed = commandLine.some((arg) => arg === "--server" || arg.startsWith("--server="));
  const usesServer = isServerNamed || (at === -1 && Boolean(process.env["AGNES_SERVER"]));
  await declare(root, root, command, "agnes", { names, usesServer, typed: commandLine.at(-1) ?? "" });
  await writeOut(printedBy(() => root.parse([...commandLine])));
}

async function newRoot(): Promise<RootCommand> {
  const { RootCommand } = await import("@bomb.sh/tab");
  return new RootCommand();
}

/** Declares a command to the library, with its arguments, their possible values, and its subcommands. */
async function declare(
  root: RootCommand,
  target: Command,
  definition: AnyCommand,
  name: string,
  known: { readonly names: WorkspaceNames; readonly usesServer: boolean; readonly typed: string },
): Promise<void> {
  const args: ArgsDef = { ...globalArgs, ...(await resolved(definition.args)) };
  // The names of a server are not known here.
  const isOfServer = known.usesServer && Object.hasOwn(args, "server");
  const names = isOfServer ? { ...known.names, sources: [], tables: [], buckets: [] } : known.names;
  for (const [key, arg] of Object.entries(args)) {
    const description = arg.description ?? "";
    const complete = (add: (value: string, description: string) => void): void => {
      for (const value of argumentValues(name, arg, { ...known, names })) add(value, description);
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
