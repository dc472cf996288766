import { AgnesError, createLog, type Log } from "../../lib/base/mod.ts";
import { painter, type Painter } from "../terminal/paint.ts";
import { errorReport, reportError } from "../terminal/report-error.ts";
import { writeOut } from "../terminal/stdout.ts";
import { openWatchdog, type Watchdog } from "../process/watchdog.ts";

/** What every command works with: its flags, where it prints, and the signal that stops it. */
export interface Cli extends AsyncDisposable {
  /** The command as it was called, for example `agnes sync`. */
  readonly name: string;
  /** The folder given with `--workspace`. */
  readonly workspace: string | undefined;
  readonly json: boolean;
  readonly verbose: boolean;
  readonly quiet: boolean;
  /** Fires at the first Ctrl-C. */
  readonly signal: AbortSignal;
  /** Colours for stdout. */
  readonly paint: Painter;
  /** Whether stderr is a terminal that a progress bar may draw on. */
  readonly interactive: boolean;
  /** Prints data. */
  print(data: string | Uint8Array): Promise<void>;
  /** Prints a value as JSON, indented on a terminal. */
  printJson(value: unknown): Promise<void>;
  /** Says something to the person on stderr; silent with `--quiet`. */
  say(text: string): void;
  /** Says what needs attention on stderr; silent with `--quiet`. */
  warn(text: string): void;
  /** Says that a part failed while the command goes on; never silent. */
  sayError(error: AgnesError, subject: string): void;
  /**
   * Ends the process by force, with this error, when it has not ended by itself within a second: DuckDB cannot be stopped
   * inside one call, nor can a connector that does not listen.
   */
  endSoon(error: unknown): void;
  /** Sees to it that signals and `endBy` end the process also while code of a plugin holds its only thread. */
  watchPlugins(): void;
  /** Ends the process with this error a second after so long, should a plugin hold its thread then. */
  endBy(durationMs: number, error: unknown): void;
  /** The log of the library, printed on stderr. */
  readonly log: Log;
}

const GRACE_MS = 1_000;

interface Flags {
  readonly [name: string]: unknown;
}

/** Opens what a command works with; disposing of it takes the signal handlers away. */
export function openCli(name: string, flags: Flags): Cli {
  const controller = new AbortController();
  const stop = (signal: NodeJS.Signals) => {
    if (controller.signal.aborted) process.exit(signal === "SIGINT" ? 130 : 143);
    if (!quiet)
      process.stderr.write(
        `\nstopping; ${signal === "SIGINT" ? "press Ctrl-C again to stop at once" : "a second SIGTERM stops at once"}\n`,
      );
    const error = new AgnesError("aborted", { what: `\`${name}\`` });
    endSoon(error);
    controller.abort(error);
  };
  let ending: ReturnType<typeof setTimeout> | undefined;
  const endSoon = (error: unknown) => {
    ending ??= setTimeout(() => process.exit(reportError(error, { json, verbose, color })), GRACE_MS);
  };
  // Talk that nobody listens to any more is no reason to stop.
  if (process.stderr.listenerCount("error") === 0) process.stderr.on("error", () => {});
  const listen = () => void process.on("SIGINT", stop).on("SIGTERM", stop);
  const unlisten = () => void process.off("SIGINT", stop).off("SIGTERM", stop);
  listen();
  let watchdog: Watchdog | undefined;
  const [json, verbose, quiet] = [flags["json"] === true, flags["verbose"] === true, flags["quiet"] === true];
  const color = flags["color"] !== false;
  const talk = painter(process.stderr, color);
  return {
    name,
    workspace: typeof flags["workspace"] === "string" ? flags["workspace"] : undefined,
    json,
    verbose,
    quiet,
    signal: controller.signal,
    paint: painter(process.stdout, color),
    interactive: process.stderr.isTTY && !quiet && process.env["TERM"] !== "dumb",
    print: writeOut,
    printJson: (value) =>
      writeOut(`${JSON.stringify(value, jsonValue, process.stdout.isTTY ? 2 : undefined)}\n`),
    say: (text) => void (quiet || process.stderr.write(`${text}\n`)),
    warn: (text) => void (quiet || process.stderr.write(`${talk.yellow("warning")}  ${text}\n`)),
    sayError: (error, subject) => void reportError(error, { json, verbose, color, subject }),
    endSoon,
    watchPlugins() {
      watchdog ??= openWatchdog(() => {
        unlisten();
        listen();
      });
    },
    endBy: (durationMs, error) =>
      watchdog?.endAt(Date.now() + durationMs + GRACE_MS, errorReport(error, { json, verbose, color })),
    log: stderrLog(verbose, quiet, talk),
    async [Symbol.asyncDispose]() {
      unlisten();
      clearTimeout(ending);
      watchdog?.[Symbol.dispose]();
    },
  };
}

function jsonValue(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

function stderrLog(verbose: boolean, quiet: boolean, paint: Painter): Log {
  const words = {
    debug: paint.dim("debug"),
    info: paint.cyan("info"),
    warn: paint.yellow("warning"),
    error: paint.red("error"),
  };
  return createLog(({ level, message, fields }) => {
    if (level === "debug" && !verbose) return;
    if (quiet && level !== "error") return;
    const tail = Object.entries(fields).map(([key, value]) => `  ${paint.dim(`${key}=${String(value)}`)}`);
    process.stderr.write(`${words[level]}  ${message}${tail.join("")}\n`);
  });
}
