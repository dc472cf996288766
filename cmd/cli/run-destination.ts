import { runCommand, type ArgsDef } from "citty";

import { enlargeThreadPool } from "../process/thread-pool.ts";
import { openCli } from "./cli.ts";
import { resolved } from "./command.ts";
import type { Destination } from "./destination.ts";
import type { ExitStatus } from "./exit-status.ts";
import { globalArgs } from "./global-args.ts";
import { checkFlags, parsedArguments, withTextsLast } from "./strict-args.ts";
import { renderUsage } from "./usage.ts";

/** Checks the arguments of a command, runs it, and returns the exit status. */
export async function runDestination({ command, name, rawArgs }: Destination): Promise<number> {
  const args: ArgsDef = { ...globalArgs, ...(await resolved(command.args)) };
  if (command.subCommands !== undefined) {
    checkFlags(name, rawArgs, args);
    process.stderr.write(await renderUsage(command, name));
    return 2;
  }
  const ordered = withTextsLast(rawArgs, args);
  const parsed = parsedArguments(name, ordered, args);
  enlargeThreadPool();
  await using cli = openCli(name, parsed);
  const loaded = (await command.load?.()) ?? command;
  if (loaded.loadsEnvFile !== true) await cli.envFile?.load();
  const { result } = await runCommand(loaded, { rawArgs: [...ordered], data: cli });
  const status = (result as ExitStatus | undefined) ?? 0;
  return status === 0 && cli.hasStrayFailures() ? 1 : status;
}
