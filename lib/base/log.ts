import { inspected, messageOf } from "./errors/mod.ts";
import { bigintAsText } from "./json.ts";
import { printable, redact } from "./redact.ts";

/** The severity of a log entry, lowest first. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** One log entry, already redacted. */
export interface LogEntry {
  readonly level: LogLevel;
  readonly message: string;
  /** The values passed with the message, by name: numbers, booleans, null and text. Empty if there are none. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Receives log messages, one method per level; never data. `fields` are further values of a message, by name. */
export interface Log {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/**
 * Creates a log that redacts credentials and secret values before an entry reaches `sink`.
 *
 * @param sink receives each entry of every level
 * @param secrets values to redact, in addition to text that looks like a credential. Read for every entry, so values can be
 * added later. Default: none
 * @example
 * ```ts
 * import { createLog } from "agnes";
 * const log = createLog(({ level, message }) => console.error(level, message), ["s3cret"]);
 * log.info("sent s3cret"); // info sent [redacted]
 * ```
 */
export function createLog(sink: (entry: LogEntry) => void, secrets: Iterable<string> = []): Log {
  const write =
    (level: LogLevel) =>
    (message: string, fields: Record<string, unknown> = {}) =>
      sink({ level, message: clean(message, secrets), fields: cleanFields(fields, secrets) });
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

/** A log that discards all messages. */
export const silentLog: Log = createLog(() => {});

function clean(text: string, secrets: Iterable<string>): string {
  return printable(redact(text, secrets));
}

function cleanFields(fields: Record<string, unknown>, secrets: Iterable<string>): Record<string, unknown> {
  const entries = Object.entries(fields).map(([key, value]): [string, unknown] => {
    const name = clean(key, secrets);
    if (typeof value === "number" || typeof value === "boolean" || value == null) return [name, value];
    const text = typeof value === "string" ? value : textOf(value);
    return [name, clean(text, secrets)];
  });
  return Object.fromEntries(entries);
}

/** Formats a value, which may be circular or throw when it is read. */
function textOf(value: unknown): string {
  try {
    return value instanceof Error ? messageOf(value) : (JSON.stringify(value, bigintAsText) ?? "");
  } catch {
    return inspected(value);
  }
}
