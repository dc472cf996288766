import type { AnyCommand } from "./command.ts";

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
