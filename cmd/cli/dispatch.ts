import type { AgnesError } from "../../lib/base/mod.ts";
import { resolved, type AnyCommand } from "./command.ts";
import { beforeDashes, isFlag, type Destination } from "./destination.ts";
import { isOutputClosed, writeOut } from "../terminal/stdout.ts";
import { renderUsage } from "./usage.ts";

/**
 * Runs the command that `argv` names and gives the exit status. Throws nothing.
 *
 * What only a command or an error needs is loaded then: help must be there at once.
 */
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
    const { reportError } = await import("../terminal/report-error.ts");
    return reportError(error, {
      json: argv.includes("--json"),
      verbose: argv.includes("--verbose"),
      color: !argv.includes("--no-color"),
    });
  }
}

async function run(destination: Destination): Promise<number> {
  const { command, name, rawArgs } = destination;
  if (beforeDashes(rawArgs).some((flag) => flag === "--help" || flag === "-h")) {
    await writeOut(await renderUsage(command, name));
    return 0;
  }
  const { runDestination } = await import("./run-destination.ts");
  return runDestination(destination);
}

/** Follows the names of commands; options before a name belong to what it names. */
export async function findDestination(root: AnyCommand, argv: readonly string[]): Promise<Destination> {
  let command = root;
  let name = "agnes";
  let rawArgs = argv;
  for (;;) {
    const subCommands = await resolved(command.subCommands);
    const index = subCommands === undefined ? -1 : firstPositional(rawArgs);
    if (subCommands === undefined || index === -1) return { command, name, rawArgs };
    const word = rawArgs[index]!;
    if (!Object.hasOwn(subCommands, word)) throw await unknownCommand(word, name, Object.keys(subCommands));
    command = (await resolved(subCommands[word])) as AnyCommand;
    name = `${name} ${word}`;
    rawArgs = [...rawArgs.slice(0, index), ...rawArgs.slice(index + 1)];
  }
}

async function unknownCommand(word: string, parent: string, known: readonly string[]): Promise<AgnesError> {
  const { AgnesError, nearest } = await import("../../lib/base/mod.ts");
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
