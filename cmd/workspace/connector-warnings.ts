import { createLog, type Log } from "../../lib/base/mod.ts";

/**
 * Creates the log of a command that reports all events of the library itself: only the warnings and errors of connectors
 * reach `log`, each distinct message of a source once.
 */
export function connectorWarnings(log: Log): Log {
  const printed = new Set<string>();
  return createLog(({ level, message, fields }) => {
    const { source } = fields;
    if (level === "debug" || level === "info" || typeof source !== "string") return;
    const key = JSON.stringify([source, message]);
    if (printed.has(key)) return;
    printed.add(key);
    log[level](message, fields);
  });
}
