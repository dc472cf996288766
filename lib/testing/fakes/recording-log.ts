import { inspect } from "node:util";

import type { Log, LogEntry, LogLevel } from "../../base/mod.ts";

/** A log that records every entry without redaction. */
export interface RecordingLog extends Log {
  readonly entries: readonly LogEntry[];
  /** Returns all entries as one text, for searching. */
  text(): string;
}

/**
 * Creates a log for tests that check log entries.
 *
 * @example
 * ```ts
 * import { recordingLog } from "agnes/testing";
 * const log = recordingLog();
 * log.warn("slow", { elapsedMs: 12 });
 * log.text(); // "warn slow { elapsedMs: 12 }"
 * ```
 */
export function recordingLog(): RecordingLog {
  const entries: LogEntry[] = [];
  const write =
    (level: LogLevel) =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}) =>
      void entries.push({ level, message, fields });
  return {
    entries,
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    text: () => entries.map(lineOf).join("\n"),
  };
}

function lineOf({ level, message, fields }: LogEntry): string {
  const rest = Object.keys(fields).length === 0 ? "" : ` ${inspect(fields, { depth: 6 })}`;
  return `${level} ${message}${rest}`;
}
