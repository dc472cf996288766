import { parseArgs, runCommand, type ArgsDef, type ParsedArgs } from "citty";

import { AgnesError, nearest } from "../../lib/base/mod.ts";
import { openCli } from "./cli.ts";
import { loadCommand, resolved, type CommandData } from "./command.ts";
import { beforeDashes, isDashedText, isFlag, type Destination } from "./destination.ts";
import { globalArgs } from "./global-args.ts";
import { enlargeThreadPool } from "../process/thread-pool.ts";
import { renderUsage } from "./usage.ts";

/** Checks the arguments of a command, runs it, and gives the exit status. */
export async function runDestination({ command, name, rawArgs }: Destination): Promise<number> {
  const args: ArgsDef = { ...globalArgs, ...(await resolved(command.args)) };
  if (command.subCommands !== undefined) {
    checkFlags(name, beforeDashes(rawArgs), args);
    process.stderr.write(await renderUsage(command, name));
    return 2;
  }
  const given = withTextsLast(rawArgs, args);
  const parsed = parsedArguments(name, given, args);
  enlargeThreadPool();
  await using cli = openCli(name, parsed);
  const data: CommandData = { cli, status: 0 };
  await runCommand(await loadCommand(command), { rawArgs: [...given], data });
  return data.status;
}

/**
 * The arguments of a command line, all of which the command knows.
 * @throws `flag_unknown`, `usage_wrong`
 */
export function parsedArguments(name: string, rawArgs: readonly string[], args: ArgsDef): ParsedArgs {
  checkFlags(name, beforeDashes(rawArgs), args);
  const parsed = parse(name, rawArgs, args);
  checkPositionals(name, parsed._, args);
  return parsed;
}

/** citty lets any option pass; a mistyped one must not be taken for "not given". */
function checkFlags(name: string, flags: readonly string[], args: ArgsDef): void {
  const known = knownFlags(args);
  for (const [index, flag] of flags.entries()) {
    if (!isFlag(flag) || isValueOf(flags[index - 1], flag, known)) continue;
    const [word] = flag.split("=", 1) as [string];
    const takes = known.get(word);
    if (takes === undefined) {
      const near = nearest(word, [...known.keys()]);
      throw new AgnesError("flag_unknown", {
        flag: word,
        command: name,
        ...(near === undefined ? {} : { nearest: near }),
      });
    }
    const value = flag === word ? flags[index + 1] : flag.slice(word.length + 1);
    if (takes === "value" && (value === undefined || value === "")) {
      throw new AgnesError("usage_wrong", { command: name, reason: `${word} needs a value` });
    }
  }
}

/** Puts texts that begin with dashes where citty cannot take them for options: behind `--`, or behind the `=` of one. */
function withTextsLast(rawArgs: readonly string[], args: ArgsDef): readonly string[] {
  const before = beforeDashes(rawArgs);
  if (!before.some(isDashedText)) return rawArgs;
  const known = knownFlags(args);
  const flags: string[] = [];
  const texts: string[] = [];
  for (let at = 0; at < before.length; at++) {
    const arg = before[at]!;
    const value = known.get(arg) === "value" ? before[at + 1] : undefined;
    if (!isFlag(arg)) texts.push(arg);
    else if (value === undefined) flags.push(arg);
    else flags.push(...(isDashedText(value) && arg.startsWith("--") ? [`${arg}=${value}`] : [arg, value]));
    if (value !== undefined) at += 1;
  }
  return [...flags, "--", ...texts, ...rawArgs.slice(before.length + 1)];
}

/** Whether a word that looks like an option is a negative number, given to the option before it. */
function isValueOf(
  before: string | undefined,
  word: string,
  known: ReadonlyMap<string, "value" | "switch">,
): boolean {
  return /^-\d/.test(word) && before !== undefined && known.get(before) === "value";
}

function knownFlags(args: ArgsDef): ReadonlyMap<string, "value" | "switch"> {
  const known = new Map<string, "value" | "switch">([
    ["--help", "switch"],
    ["-h", "switch"],
  ]);
  for (const [name, arg] of Object.entries(args)) {
    if (arg.type === "positional") continue;
    const takes = arg.type === "boolean" ? "switch" : "value";
    const aliases = "alias" in arg ? [arg.alias ?? []].flat() : [];
    for (const alias of aliases) known.set(`-${alias}`, takes);
    known.set(`--${name}`, takes);
    if (arg.type === "boolean" && arg.default === true) known.set(`--no-${name}`, "switch");
  }
  return known;
}

function checkPositionals(name: string, given: readonly string[], args: ArgsDef): void {
  const declared = Object.values(args).filter((arg) => arg.type === "positional");
  if (declared.at(-1)?.valueHint?.endsWith("…") === true || given.length <= declared.length) return;
  throw new AgnesError("usage_wrong", {
    command: name,
    reason: `\`${name}\` does not know what to do with ${JSON.stringify(given[declared.length])}`,
    ...(declared.length === 1 ? { next: "Put what belongs together in quotes." } : {}),
  });
}

/** Parses, and says in our words what citty refuses. */
function parse(name: string, rawArgs: readonly string[], args: ArgsDef): ParsedArgs {
  try {
    return parseArgs([...rawArgs], args);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "CLIError") throw error;
    // eslint-disable-next-line no-control-regex -- citty colours its messages
    const words = error.message.replace(/\u001B\[\d+m/g, "").replace(/\.$/, "");
    const choice = /^Invalid value for argument: (\S+) \((.*)\)\. Expected one of: (.*)$/s.exec(words);
    if (choice === null)
      throw new AgnesError("usage_wrong", { command: name, reason: words }, { cause: error });
    const [, flag, value, known = ""] = choice;
    const near = nearest(value!, known.split(", "));
    const reason = `${flag} cannot be ${JSON.stringify(value)}`;
    const next = near === undefined ? `It is one of ${known}.` : `Did you mean ${near}?`;
    throw new AgnesError("usage_wrong", { command: name, reason, next }, { cause: error });
  }
}
