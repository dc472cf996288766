import type { AgnesError } from "../../lib/base/mod.ts";
import { resolved, type AnyCommand } from "./command.ts";

/** The command of a command line, its full name and its own arguments. */
export interface Destination {
  readonly command: AnyCommand;
  /** For example `agnes connector show`. */
  readonly name: string;
  readonly rawArgs: readonly string[];
}

/** Whether an argument is an option. A single dash is not, nor is text that begins with an SQL comment. */
export function isFlag(arg: string): boolean {
  return arg.startsWith("-") && arg !== "-" && !isDashedText(arg);
}

/** Whether an argument begins like an option, but has whitespace in place of a name. */
export function isDashedText(arg: string): boolean {
  return arg.startsWith("-") && /\s/.test(arg.split("=", 1)[0]!);
}

/** Resolves the names of subcommands. Options before a name belong to that subcommand. */
export async function findDestination(root: AnyCommand, argv: readonly string[]): Promise<Destination> {
  let command = root;
  let name = "agnes";
  let rawArgs = argv;
  for (;;) {
    const subCommands = await resolved(command.subCommands);
    const index = subCommands === undefined ? -1 : firstPositional(rawArgs);
    if (subCommands === undefined || index === -1) return { command, name, rawArgs };
    const argument = rawArgs[index]!;
    if (!Object.hasOwn(subCommands, argument))
      throw await unknownCommand(argument, name, Object.keys(subCommands));
    command = (await resolved(subCommands[argument])) as AnyCommand;
    name = `${name} ${argument}`;
    rawArgs = [...rawArgs.slice(0, index), ...rawArgs.slice(index + 1)];
  }
}

async function unknownCommand(
  argument: string,
  parent: string,
  known: readonly string[],
): Promise<AgnesError> {
  const { AgnesError, nearest } = await import("../../lib/base/mod.ts");
  const near = nearest(argument, known);
  return new AgnesError("command_unknown", {
    command: argument,
    parent,
    ...(near === undefined ? {} : { nearest: near }),
  });
}

function firstPositional(rawArgs: readonly string[]): number {
  for (let index = 0; index < rawArgs.length; index++) {
    const arg = rawArgs[index]!;
    if (arg === "--") return -1;
    if (!isFlag(arg)) return index;
    if (["--workspace", "--server", "--env-file"].includes(arg)) index++;
  }
  return -1;
}
