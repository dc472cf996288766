import type { AnyCommand } from "./cli/command.ts";
import { findDestination, type Destination } from "./cli/destination.ts";
import { beforeDashes } from "./cli/option-values.ts";
import { isOutputClosed, writeOut } from "./terminal/stdout.ts";
import { renderUsage } from "./cli/usage.ts";

/**
 * Runs the command that `argv` names and returns the exit status. Throws nothing.
 *
 * Modules of commands and errors are loaded on demand, so that help starts fast.
 */
export async function dispatch(root: AnyCommand, argv: readonly string[], version: string): Promise<number> {
  try {
    if (argv.length === 1 && (argv[0] === "--version" || argv[0] === "-v")) {
      await writeOut(`${version}\n`);
      return 0;
    }
    if (argv[0] === "complete" && argv[1] === "--") {
      const { printCompletions } = await import("./completion/completions.ts");
      await printCompletions(root, argv.slice(2));
      return 0;
    }
    return await run(await findDestination(root, argv));
  } catch (error) {
    if (isOutputClosed(error)) return 0;
    const { openTerminal } = await import("./terminal/terminal.ts");
    const terminal = openTerminal({
      json: argv.includes("--json"),
      verbose: argv.includes("--verbose"),
      quiet: argv.includes("--quiet"),
      color: !argv.includes("--no-color"),
    });
    return terminal.error(error);
  }
}

async function run(destination: Destination): Promise<number> {
  const { command, name, rawArgs } = destination;
  if (beforeDashes(rawArgs).some((flag) => flag === "--help" || flag === "-h")) {
    await writeOut(await renderUsage(command, name));
    return 0;
  }
  const { runDestination } = await import("./cli/run-destination.ts");
  return runDestination(destination);
}
