// Types alone: what shows help must not load the parser.
import type { ArgsDef, CommandDef, ParsedArgs, SubCommandsDef } from "citty";

import type { Cli } from "./cli.ts";
import type { ExitStatus } from "./exit-status.ts";
import { globalArgs, type GlobalArgs } from "./global-args.ts";

/** A command of which only the shape is known. */
export type AnyCommand = Resolved<SubCommandsDef[string]> & {
  /** Lines shown under "Examples" in the help, as they would be typed. */
  readonly examples?: readonly string[];
  /** Loads the command itself, of a lazy one. */
  readonly load?: () => Promise<AnyCommand>;
};
type Resolved<T> = T extends ((...args: never) => unknown) | Promise<unknown> ? never : T;

interface CommandSpec<A extends ArgsDef> {
  readonly args: A;
  readonly examples?: readonly string[];
  /** @returns the exit status; default: 0 */
  run(cli: Cli, args: ParsedArgs<A & GlobalArgs>): Promise<ExitStatus | undefined | void>;
}

/** Declares a command: its own arguments beside the global ones, and what it does. */
export function command<const A extends ArgsDef>(spec: CommandSpec<A>): AnyCommand {
  const definition: CommandDef<A & GlobalArgs> = {
    ...spec,
    args: { ...spec.args, ...globalArgs },
    run: ({ data, args }) => spec.run(data as Cli, args),
  };
  return definition as AnyCommand;
}

/** A command that is known by name and description, and loaded when it is used. */
export function lazy(
  name: string,
  description: string,
  load: () => Promise<{ readonly default: AnyCommand }>,
): AnyCommand {
  const once = async () => (await load()).default;
  return {
    meta: { name, description },
    args: async () => (await resolved((await once()).args)) ?? {},
    load: once,
  };
}

/** A command that only holds others. */
export function group(name: string, description: string, subCommands: SubCommandsDef): AnyCommand {
  return { meta: { name, description }, subCommands };
}

/** Calls what may be a function and waits for what may be a promise. */
export async function resolved<T>(value: T | Promise<T> | (() => T | Promise<T>)): Promise<T> {
  return typeof value === "function" ? (value as () => T | Promise<T>)() : value;
}
