import { AgnesError } from "../../lib/base/mod.ts";
import { exitProcess } from "../process/exit.ts";
import { strayFailure } from "../process/plugin-origins.ts";
import { openWatchdog, type FinalMessage, type Watchdog } from "../process/watchdog.ts";
import { openTerminal, type Terminal } from "../terminal/terminal.ts";

/** What every command works with: where it prints, its workspace, and the signal that stops it. */
export interface Cli extends Terminal, AsyncDisposable {
  /** The command as it was called, for example `agnes sync`. */
  readonly name: string;
  /** The folder given with `--workspace`. */
  readonly workspace: string | undefined;
  /** Fires at the first Ctrl-C. */
  readonly signal: AbortSignal;
  /**
   * Ends the process by force, with this error, when it has not ended by itself within a second: DuckDB cannot be stopped
   * inside one call, nor can a connector that does not listen.
   */
  endSoon(error: unknown): void;
  /** Sees to it that signals and `endBy` end the process also while code of a plugin holds its only thread. */
  watchPlugins(): void;
  /** Whether something failed that no part of the command waits for. */
  hasStrayFailures(): boolean;
  /** Ends the process with this error a second after so long, should a plugin hold its thread then. */
  endBy(durationMs: number, error: unknown): void;
}

const GRACE_MS = 1_000;

interface Flags {
  readonly [name: string]: unknown;
}

/** Opens what a command works with; disposing of it takes the signal handlers away. */
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
    endSoon(error);
    controller.abort(error);
  };
  let ending: ReturnType<typeof setTimeout> | undefined;
  const endSoon = (error: unknown) => {
    ending ??= setTimeout(() => exitProcess(terminal.error(error)), GRACE_MS);
    endBy(0, error);
  };
  /** Those given before there is a watchdog. */
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
    signal: controller.signal,
    endSoon,
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
