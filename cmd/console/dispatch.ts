import { parseArgs, runCommand, type ArgsDef } from "citty";

import { AgnesError, nearest } from "../../lib/base/mod.ts";
import { openCli } from "./cli.ts";
import { loadCommand, resolved, type AnyCommand, type CommandData } from "./command.ts";
import { globalArgs } from "./global-args.ts";
import { reportError } from "./report-error.ts";
import { isOutputClosed, writeOut } from "./stdout.ts";
import { renderUsage } from "./usage.ts";

/** Where a command line leads: the command, its full name and its own arguments. */
interface Destination {
  readonly command: AnyCommand;
  /** For example `agnes connector show`. */
  readonly name: string;
  readonly rawArgs: readonly string[];
}

/** Runs the command that `argv` names and gives the exit status. Throws nothing. */
export async function dispatch(root: AnyCommand, argv: readonly string[], version: string): Promise<number> {
  try {
    if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "-v")) {
      await writeOut(`${version}\n`);
      return 0;
    }
    if (argv[0] === "complete" && argv[1] === "--") {
      const { runCompletion } = await import("../commands/complete.ts");
      await runCompletion(argv.slice(1));
      return 0;
    }
    return await run(await findDestination(root, argv));
  } catch (error) {
    if (isOutputClosed(error)) return 0;
    return reportError(error, {
      json: argv.includes("--json"),
      verbose: argv.includes("--verbose"),
      color: !argv.includes("--no-color"),
    });
  }
}

async function run(destination: Destination): Promise<number> {
  const { command, name, rawArgs } = destination;
  const flags = beforeDashes(rawArgs);
  const args: ArgsDef = { ...globalArgs, ...(await resolved(command.args)) };
  const help = flags.some((flag) => flag === "--help" || flag === "-h");
  if (command.subCommands !== undefined && !help) {
    checkFlags(name, flags, args);
    process.stderr.write(await renderUsage(command, name));
    return 2;
  }
  if (help) {
    await writeOut(await renderUsage(command, name));
    return 0;
  }
  checkFlags(name, flags, args);
  checkPositionals(name, parse(name, rawArgs, args)._, args);
  const { enlargeThreadPool } = await import("./thread-pool.ts");
  enlargeThreadPool();
  await using cli = openCli(name, parseArgs([...rawArgs], args));
  const data: CommandData = { cli, status: 0 };
  await runCommand(await loadCommand(command), { rawArgs: [...rawArgs], data });
  return data.status;
}

/** Follows the names of commands; options before a name belong to what it names. */
async function findDestination(root: AnyCommand, argv: readonly string[]): Promise<Destination> {
  let command = root;
  let name = "agnes";
  let rawArgs = argv;
  for (;;) {
    const subCommands = await resolved(command.subCommands);
    const index = subCommands === undefined ? -1 : firstPositional(rawArgs);
    if (subCommands === undefined || index === -1) return { command, name, rawArgs };
    const word = rawArgs[index]!;
    if (!Object.hasOwn(subCommands, word)) throw unknownCommand(word, name, Object.keys(subCommands));
    command = (await resolved(subCommands[word])) as AnyCommand;
    name = `${name} ${word}`;
    rawArgs = [...rawArgs.slice(0, index), ...rawArgs.slice(index + 1)];
  }
}

function unknownCommand(word: string, parent: string, known: readonly string[]): AgnesError {
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

/** citty lets any option pass; a mistyped one must not be taken for "not given". */
function checkFlags(name: string, flags: readonly string[], args: ArgsDef): void {
  const known = knownFlags(args);
  for (const [index, flag] of flags.entries()) {
    if (!isFlag(flag)) continue;
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
function parse(name: string, rawArgs: readonly string[], args: ArgsDef): { readonly _: readonly string[] } {
  try {
    return parseArgs([...rawArgs], args);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "CLIError") throw error;
    // eslint-disable-next-line no-control-regex -- citty colours its messages
    const reason = error.message.replace(/\u001B\[\d+m/g, "").replace(/\.$/, "");
    throw new AgnesError("usage_wrong", { command: name, reason }, { cause: error });
  }
}

function beforeDashes(rawArgs: readonly string[]): readonly string[] {
  const dashes = rawArgs.indexOf("--");
  return dashes === -1 ? rawArgs : rawArgs.slice(0, dashes);
}

function isFlag(arg: string): boolean {
  return arg.startsWith("-") && arg !== "-";
}
