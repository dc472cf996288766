import type { AgnesError } from "../../lib/base/mod.ts";
import { resolved, type AnyCommand } from "./command.ts";

/** Where a command line leads: the command, its full name and its own arguments. */
export interface Destination {
  readonly command: AnyCommand;
  /** For example `agnes connector show`. */
  readonly name: string;
  readonly rawArgs: readonly string[];
}

/** The arguments before `--`. */
export function beforeDashes(rawArgs: readonly string[]): readonly string[] {
  const dashes = rawArgs.indexOf("--");
  return dashes === -1 ? rawArgs : rawArgs.slice(0, dashes);
}

/** Whether an argument is an option. A lone dash is not, nor is a text that begins with a comment of SQL. */
export function isFlag(arg: string): boolean {
  return arg.startsWith("-") && arg !== "-" && !isDashedText(arg);
}

/** Whether an argument begins as an option does, but holds a space or line break where its name would be. */
export function isDashedText(arg: string): boolean {
  return arg.startsWith("-") && /\s/.test(arg.split("=", 1)[0]!);
}

/** Follows the names of commands; options before a name belong to what it names. */
export async function findDestination(root: AnyCommand, argv: readonly string[]): Promise<Destination> {
  let command = root;
  let name = "agnes";
  let rawArgs = argv;
  for (;;) {
    const subCommands = await resolved(command.subCommands);
    const index = subCommands === undefined ? -1 : firstPositional(rawArgs);
    if (subCommands === undefined || index === -1) return { command, name, rawArgs };
    const word = rawArgs[index]!;
    if (!Object.hasOwn(subCommands, word)) throw await unknownCommand(word, name, Object.keys(subCommands));
    command = (await resolved(subCommands[word])) as AnyCommand;
    name = `${name} ${word}`;
    rawArgs = [...rawArgs.slice(0, index), ...rawArgs.slice(index + 1)];
  }
}

async function unknownCommand(word: string, parent: string, known: readonly string[]): Promise<AgnesError> {
  const { AgnesError, nearest } = await import("../../lib/base/mod.ts");
  const near = nearest(word, known);
  return new AgnesError("command_unknown", {
    command: word,
    parent,
    ...(near === undefined ? {} : { nearest: near }),
  });
}

function firstPositional(rawArgs: readonly string[]): number {
  for (let index = 0; index < rawArgs.length; index++) {
    const arg = rawArgs[index]!;
    if (arg === "--") return -1;
    if (!isFlag(arg)) return index;
    if (arg === "--workspace") index++;
  }
  return -1;
}
