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

/** Whether an argument is an option; a lone dash is not. */
export function isFlag(arg: string): boolean {
  return arg.startsWith("-") && arg !== "-";
}
