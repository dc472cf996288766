import { AgnesError } from "../../lib/base/mod.ts";
import { exitProcess } from "../process/exit.ts";
import { strayFailure } from "../process/plugin-origins.ts";
import { openWatchdog, type FinalMessage, type Watchdog } from "../process/watchdog.ts";
import { EnvFile } from "./env-file.ts";
import { openTerminal, type Terminal } from "../terminal/terminal.ts";

/** The context of a command: its terminal, workspace and abort signal. */
export interface Cli extends Terminal, AsyncDisposable {
  /** The full name of the command, for example `agnes sync`. */
  readonly name: string;
  /** The folder of `--workspace`. */
  readonly workspace: string | undefined;
  /** The file of `--env-file`. */
  readonly envFile: EnvFile | undefined;
  /** Fires at the first Ctrl-C. */
  readonly signal: AbortSignal;
  /**
   * Ends the process with this error if it does not end by itself after a second: DuckDB cannot be stopped during a
   * call, nor can a connector that ignores its signal.
   */
  endSoon(error: unknown): void;
  /** Makes the first signal only fire `signal`: the command then ends by itself, at a second signal at once. */
  drainOnSignal(): void;
  /** Makes signals and `endBy` end the process even if a plugin blocks its only thread. */
  watchPlugins(): void;
  /** Whether unawaited work failed. */
  hasStrayFailures(): boolean;
  /** Ends the process with this error one second after a timeout, if a plugin blocks the thread then. */
  endBy(durationMs: number, error: unknown): void;
}

const GRACE_MS = 1_000;

interface Flags {
  readonly [name: string]: unknown;
}

/** Opens the context of a command. Disposing of it removes the signal handlers. */
export function openCli(name: string, flags: Flags): Cli {
  const terminal = openTerminal({
    json: flags["json"] === true,
    verbose: flags["verbose"] === true,
    quiet: flags["quiet"] === true,
    color: flags["color"] !== false,
  });
  const controller = new AbortController();
  const stop = (signal: NodeJS.Signals) => {
    watchdog?.signalHandled();
    if (controller.signal.aborted) exitProcess(signal === "SIGINT" ? 130 : 143);
    const again =
      signal === "SIGINT" ? "press Ctrl-C again to stop at once" : "a second SIGTERM stops at once";
    terminal.info(`\nstopping; ${again}`);
    const error = new AgnesError("aborted", { what: `\`${name}\`` });
    if (!drains) endSoon(error);
    controller.abort(error);
  };
  let drains = false;
  let ending: ReturnType<typeof setTimeout> | undefined;
  const endSoon = (error: unknown) => {
    ending ??= setTimeout(() => exitProcess(terminal.error(error)), GRACE_MS);
    endBy(0, error);
  };
  /** The messages set before the watchdog starts. */
  const finals: FinalMessage[] = [];
  const endBy = (durationMs: number, error: unknown) => {
    const { text, status } = terminal.errorReport(error);
    const final = { atMs: Date.now() + durationMs + GRACE_MS, text: `${text}\n`, status };
    if (watchdog === undefined) finals.push(final);
    else watchdog.endAt(final);
  };
  let strays = 0;
  const stray = (thrown: unknown) => {
    strays += 1;
    terminal.error(strayFailure(thrown));
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  process.on("unhandledRejection", stray).on("uncaughtException", stray);
  let watchdog: Watchdog | undefined;
  return {
    ...terminal,
    name,
    workspace: typeof flags["workspace"] === "string" ? flags["workspace"] : undefined,
    envFile: typeof flags["env-file"] === "string" ? new EnvFile(flags["env-file"]) : undefined,
    signal: controller.signal,
    endSoon,
    drainOnSignal() {
      drains = true;
    },
    watchPlugins() {
      if (watchdog !== undefined) return;
      watchdog = openWatchdog();
      for (const final of finals) watchdog.endAt(final);
    },
    endBy,
    hasStrayFailures: () => strays > 0,
    async [Symbol.asyncDispose]() {
      process.off("SIGINT", stop).off("SIGTERM", stop);
      process.off("unhandledRejection", stray).off("uncaughtException", stray);
      clearTimeout(ending);
      watchdog?.[Symbol.dispose]();
    },
  };
}
