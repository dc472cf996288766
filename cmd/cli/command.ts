// Only types are imported, so that help does not load the parser.
import type { ArgsDef, CommandDef, ParsedArgs, SubCommandsDef } from "citty";

import type { Cli } from "./cli.ts";
import type { ExitStatus } from "./exit-status.ts";
import { globalArgs, type GlobalArgs } from "./global-args.ts";
import { optionValues } from "./option-values.ts";

/** A command of any arguments. */
export type AnyCommand = Resolved<SubCommandsDef[string]> & {
  /** Command lines under "Examples" in the help. */
  readonly examples?: readonly string[];
  /** See `CommandSpec`. */
  readonly loadsEnvFile?: boolean;
  /** Loads a lazy command. */
  readonly load?: () => Promise<AnyCommand>;
};
type Resolved<T> = T extends ((...args: never) => unknown) | Promise<unknown> ? never : T;

interface CommandSpec<A extends ArgsDef> {
  readonly args: A;
  readonly examples?: readonly string[];
  /** Whether it loads `cli.envFile` itself. Default: the file is loaded before. */
  readonly loadsEnvFile?: boolean;
  /**
   * @param valuesOf returns all values of an option that may be repeated
   * @returns the exit status; default: 0
   */
  run(
    cli: Cli,
    args: ParsedArgs<A & GlobalArgs>,
    valuesOf: (option: keyof A & string) => readonly string[],
  ): Promise<ExitStatus | undefined | void>;
}

/** Declares a command: its own arguments in addition to the global ones, and its action. */
export function command<const A extends ArgsDef>(spec: CommandSpec<A>): AnyCommand {
  const definition: CommandDef<A & GlobalArgs> = {
    ...spec,
    args: { ...spec.args, ...globalArgs },
    run: ({ data, args, rawArgs }) =>
      spec.run(data as Cli, args, (option) => optionValues(rawArgs, `--${option}`)),
  };
  return definition as AnyCommand;
}

/** A command with a name and description that is loaded on use. */
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

/** A command with subcommands only. */
export function group(name: string, description: string, subCommands: SubCommandsDef): AnyCommand {
  return { meta: { name, description }, subCommands };
}

/** Resolves a value that may be a function or a promise. */
export async function resolved<T>(value: T | Promise<T> | (() => T | Promise<T>)): Promise<T> {
  return typeof value === "function" ? (value as () => T | Promise<T>)() : value;
}
