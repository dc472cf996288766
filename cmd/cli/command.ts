// Types alone: what shows help must not load the parser.
import type { ArgsDef, CommandDef, ParsedArgs, SubCommandsDef } from "citty";

import type { Cli } from "./cli.ts";
import { globalArgs, type GlobalArgs } from "./global-args.ts";

/** A command of which only the shape is known. */
export type AnyCommand = Resolved<SubCommandsDef[string]>;
type Resolved<T> = T extends ((...args: never) => unknown) | Promise<unknown> ? never : T;

/** The exit statuses, as the documentation states them; a test compares both with what commands do. */
export const exitStatuses = {
  0: "everything was done",
  1: "it failed: all of it, also a query that fails while it runs, or a check of `doctor`, `connector health`, `connector test`",
  2: "what was typed or configured is wrong: the command line, a name, `agnes.yaml`, the form of the SQL",
  3: "a part failed, the rest is done: `sync`, `connector discover`, `connector list`, `table discover`, `table import --skip-invalid`",
  130: "stopped at once by a second Ctrl-C; 143 by a second SIGTERM",
} as const;

/** The exit status of a command. */
export type ExitStatus = 0 | 1 | 2 | 3;

interface CommandSpec<A extends ArgsDef> {
  readonly args: A;
  /** Lines shown under "Examples" in the help, as they would be typed. */
  readonly examples?: readonly string[];
  run(cli: Cli, args: ParsedArgs<A & GlobalArgs>): Promise<ExitStatus | undefined | void>;
}

/** What `dispatch` passes to a command beside its arguments, and where it puts the exit status. */
export interface CommandData {
  readonly cli: Cli;
  status: ExitStatus;
}

const examplesOf = new WeakMap<object, readonly string[]>();

/** Declares a command: its own arguments beside the global ones, and what it does. */
export function command<const A extends ArgsDef>(spec: CommandSpec<A>): AnyCommand {
  const args: A & GlobalArgs = { ...spec.args, ...globalArgs };
  const definition: CommandDef<A & GlobalArgs> = {
    args,
    async run(context) {
      const data = context.data as CommandData;
      data.status = (await spec.run(data.cli, context.args)) ?? 0;
    },
  };
  if (spec.examples !== undefined) examplesOf.set(definition, spec.examples);
  return definition as AnyCommand;
}

/** The examples of a loaded command. */
export function commandExamples(loaded: AnyCommand): readonly string[] {
  return examplesOf.get(loaded) ?? [];
}

/** What loads the file of a lazy command. */
const loaders = new WeakMap<object, () => Promise<AnyCommand>>();

/** A command that is known by name and description, and loaded when it is used. */
export function lazy(
  name: string,
  description: string,
  load: () => Promise<{ readonly default: AnyCommand }>,
): AnyCommand {
  let loaded: Promise<AnyCommand> | undefined;
  const once = () => (loaded ??= load().then((module) => module.default));
  const definition: AnyCommand = {
    meta: { name, description },
    args: async () => (await resolved((await once()).args)) ?? {},
    run: async (context) => (await once()).run?.(context),
  };
  loaders.set(definition, once);
  return definition;
}

/** A command that only holds others. */
export function group(name: string, description: string, subCommands: SubCommandsDef): AnyCommand {
  return { meta: { name, description }, subCommands };
}

/** The command itself, loaded when it was lazy. */
export async function loadCommand(definition: AnyCommand): Promise<AnyCommand> {
  return loaders.get(definition)?.() ?? definition;
}

/** Calls what may be a function and waits for what may be a promise. */
export async function resolved<T>(value: T | Promise<T> | (() => T | Promise<T>)): Promise<T> {
  return typeof value === "function" ? (value as () => T | Promise<T>)() : value;
}
