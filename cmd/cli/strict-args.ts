// The strictness that citty lacks: unknown options, missing values, surplus arguments, texts that begin with dashes.
import { parseArgs, type ArgsDef, type ParsedArgs } from "citty";

import { AgnesError, nearest, shown } from "../../lib/base/mod.ts";
import { beforeDashes, isDashedText, isFlag } from "./destination.ts";

/**
 * The arguments of a command line, all of which the command knows.
 * @throws `flag_unknown`, `usage_wrong`
 */
export function parsedArguments(name: string, rawArgs: readonly string[], args: ArgsDef): ParsedArgs {
  checkFlags(name, rawArgs, args);
  const parsed = parse(name, rawArgs, args);
  checkPositionals(name, parsed._, args);
  return parsed;
}

/** citty lets any option pass; a mistyped one must not be ignored. */
export function checkFlags(name: string, rawArgs: readonly string[], args: ArgsDef): void {
  const flags = beforeDashes(rawArgs);
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
export function withTextsLast(rawArgs: readonly string[], args: ArgsDef): readonly string[] {
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

function checkPositionals(name: string, positionals: readonly string[], args: ArgsDef): void {
  const declared = Object.values(args).filter((arg) => arg.type === "positional");
  if (declared.at(-1)?.valueHint?.endsWith("…") === true || positionals.length <= declared.length) return;
  throw new AgnesError("usage_wrong", {
    command: name,
    reason: `\`${name}\` does not know what to do with ${JSON.stringify(positionals[declared.length])}`,
    ...(declared.length === 1 ? { next: "Quote arguments that contain spaces." } : {}),
  });
}

/** Parses; what citty refuses becomes an AgnesError. */
function parse(name: string, rawArgs: readonly string[], args: ArgsDef): ParsedArgs {
  try {
    return parseArgs([...rawArgs], args);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "CLIError") throw error;
    // eslint-disable-next-line no-control-regex -- citty colours its messages
    const message = error.message.replace(/\u001B\[\d+m/g, "").replace(/\.$/, "");
    const choice = /^Invalid value for argument: (\S+) \((.*)\)\. Expected one of: (.*)$/s.exec(message);
    if (choice === null)
      throw new AgnesError("usage_wrong", { command: name, reason: message }, { cause: error });
    const [, flag, value, known = ""] = choice;
    const near = nearest(value!, known.split(", "));
    const reason = `${flag} cannot be ${JSON.stringify(value)}`;
    const next = near === undefined ? `It is one of ${known}.` : `Did you mean ${near}?`;
    throw new AgnesError("usage_wrong", { command: name, reason, next }, { cause: error });
  }
}

/** The value of an option that takes a whole number above zero; `undefined` without the option. */
export function wholeNumber(command: string, option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value > 0) return value;
  const reason = `${option} should be a whole number above zero, but is ${shown(text)}`;
  throw new AgnesError("usage_wrong", { command, reason });
}
