// Checks that citty does not make: unknown options, missing values, surplus arguments, texts that begin with dashes.
import { parseArgs, type ArgsDef, type ParsedArgs } from "citty";

import { AgnesError, nearest, formatValue } from "../../lib/base/mod.ts";
import { isDashedText, isFlag } from "./destination.ts";
import { beforeDashes } from "./option-values.ts";

/**
 * Parses a command line and rejects unknown arguments.
 * @throws `flag_unknown`, `usage_wrong`
 */
export function parsedArguments(name: string, rawArgs: readonly string[], args: ArgsDef): ParsedArgs {
  checkFlags(name, rawArgs, args);
  const parsed = parse(name, rawArgs, args);
  checkPositionals(name, parsed._, args);
  return parsed;
}

/** Rejects unknown options, which citty ignores. */
export function checkFlags(name: string, rawArgs: readonly string[], args: ArgsDef): void {
  const flags = beforeDashes(rawArgs);
  const known = knownFlags(args);
  for (const [index, flag] of flags.entries()) {
    if (!isFlag(flag) || isValueOf(flags[index - 1], flag, known)) continue;
    const [option] = flag.split("=", 1) as [string];
    const takes = known.get(option);
    if (takes === undefined && option === "--server") throw noServer(name);
    if (takes === undefined) {
      const near = nearest(option, [...known.keys()]);
      throw new AgnesError("flag_unknown", {
        flag: option,
        command: name,
        ...(near === undefined ? {} : { nearest: near }),
      });
    }
    const value = flag === option ? flags[index + 1] : flag.slice(option.length + 1);
    if (takes === "value" && (value === undefined || value === "")) {
      throw new AgnesError("usage_wrong", { command: name, reason: `${option} needs a value` });
    }
  }
}

function noServer(command: string): AgnesError {
  if (command === "agnes pull")
    return new AgnesError("usage_wrong", {
      command,
      reason: "the address of the server is an argument, not an option",
      next: "Write `agnes pull https://agnes.example.com`.",
    });
  const reason = `--server is not available: \`${command}\` works on a workspace only`;
  return new AgnesError("usage_wrong", { command, reason, next: "Run it on the server, in its workspace." });
}

/** Moves texts that begin with dashes after `--` or after the `=` of an option, so that citty does not parse them. */
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

/** Whether an argument is a negative number and the value of the preceding option. */
function isValueOf(
  before: string | undefined,
  option: string,
  known: ReadonlyMap<string, "value" | "switch">,
): boolean {
  return /^-\d/.test(option) && before !== undefined && known.get(before) === "value";
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
    reason: `unexpected argument ${JSON.stringify(positionals[declared.length])}`,
    ...(declared.length === 1 ? { next: "Quote arguments that contain spaces." } : {}),
  });
}

/** Parses a command line. Converts errors of citty to an AgnesError. */
function parse(name: string, rawArgs: readonly string[], args: ArgsDef): ParsedArgs {
  try {
    return parseArgs([...rawArgs], args);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "CLIError") throw error;
    // eslint-disable-next-line no-control-regex -- citty colours its messages
    const message = error.message.replace(/\u001B\[\d+m/g, "").replace(/\.$/, "");
    const choice = /^Invalid value for argument: (\S+) \((.*)\)\. Expected one of: (.*)$/s.exec(message);
    if (choice === null) {
      const reason = message.replace(/^Missing required (?:positional )?argument: (.+)$/s, "$1 is missing");
      throw new AgnesError("usage_wrong", { command: name, reason }, { cause: error });
    }
    const [, flag, value, known = ""] = choice;
    const near = nearest(value!, known.split(", "));
    const reason = `${flag} cannot be ${JSON.stringify(value)}`;
    const next = near === undefined ? choicesText(known.split(", ")) : `Did you mean ${near}?`;
    throw new AgnesError("usage_wrong", { command: name, reason, next }, { cause: error });
  }
}

/** The allowed values in a sentence. */
export function choicesText(choices: readonly string[]): string {
  return choices.length === 1 ? `It can only be ${choices[0]}.` : `It is one of ${choices.join(", ")}.`;
}

/** The value of an option for a positive whole number; `undefined` without the option. */
export function wholeNumber(command: string, option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value > 0) return value;
  const reason = `${option} should be a positive whole number, but is ${formatValue(text)}`;
  throw new AgnesError("usage_wrong", { command, reason });
}
