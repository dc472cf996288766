import type { ArgDef, ArgsDef } from "citty";

import { resolved, type AnyCommand } from "../cmd/cli/command.ts";
import { findDestination } from "../cmd/cli/destination.ts";
import { globalArgs } from "../cmd/cli/global-args.ts";
import { parsedArguments } from "../cmd/cli/strict-args.ts";
import { mainCommand } from "../cmd/main-command.ts";
import { messageOf } from "../lib/base/mod.ts";
import { shellWords, type CommandLine } from "./command-lines.ts";

/** Command lines that the definitions of the commands reject; empty if all are accepted. */
export async function offerProblems(lines: readonly CommandLine[]): Promise<readonly string[]> {
  const problems = await Promise.all(
    lines.map(async (line) => {
      const problem = await problemOf(line);
      return problem === undefined ? [] : [`${line.place} offers \`${line.text}\`: ${problem}`];
    }),
  );
  return problems.flat();
}

async function problemOf({ text, isTyped }: CommandLine): Promise<string | undefined> {
  const [, ...words] = shellWords(text);
  if (isPlaceholder(words[0] ?? "")) return undefined;
  try {
    const { command, name, rawArgs } = await findDestination(mainCommand, words);
    if (rawArgs.includes("--help") || rawArgs.includes("--version")) return undefined;
    const isGroup = command.subCommands !== undefined;
    if (isGroup && isTyped) return `${name} needs a command`;
    const args = await argsOf(command);
    // A sentence may name a command without its arguments.
    const known = isTyped ? args : withoutRequired(args);
    const parsed = parsedArguments(name, rawArgs, known) as Readonly<Record<string, unknown>>;
    return Object.entries(args).flatMap(([key, arg]) => choiceProblem(key, arg, parsed[key]) ?? [])[0];
  } catch (error) {
    return messageOf(error);
  }
}

/** Returns why an argument does not accept a value; `undefined` if it does. */
function choiceProblem(key: string, arg: ArgDef, value: unknown): string | undefined {
  const hint = arg.valueHint ?? "";
  if (typeof value !== "string" || !/^[a-z_]+(\|[a-z_]+)+$/.test(hint)) return undefined;
  const choices = hint.split("|");
  if (isPlaceholder(value) || value.split("|").every((choice) => choices.includes(choice))) return undefined;
  return `${key} cannot be ${value}`;
}

/** The options that some command takes, such as `--full`. */
export async function knownOptions(command: AnyCommand = mainCommand): Promise<ReadonlySet<string>> {
  const own = Object.entries(await argsOf(command)).flatMap(([name, arg]) =>
    arg.type === "boolean" && arg.default === true ? [`--${name}`, `--no-${name}`] : [`--${name}`],
  );
  const subCommands = Object.values((await resolved(command.subCommands)) ?? {});
  const nested = await Promise.all(
    subCommands.map(async (sub) => knownOptions((await resolved(sub)) as AnyCommand)),
  );
  return new Set([...own, "--help", "--version", ...nested.flatMap((names) => [...names])]);
}

async function argsOf(command: AnyCommand): Promise<ArgsDef> {
  return { ...globalArgs, ...(await resolved(command.args)) };
}

function withoutRequired(args: ArgsDef): ArgsDef {
  return Object.fromEntries(
    Object.entries(args).map(([name, arg]) => [name, { ...arg, required: false } as ArgDef]),
  );
}

function isPlaceholder(word: string): boolean {
  return /^([A-Z][A-Z.…]*|‹.*›|…)$/.test(word);
}
