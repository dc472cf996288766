import type { FileReading, JsonValue } from "./batch.ts";

/**
 * Parses a `FileReading` that was stored as JSON, such as in `ReadResult.state`, also by an earlier version of Agnes.
 *
 * @example
 * ```ts
 * import { parseFileReading, type FileReading } from "agnes/kit";
 * const stored = { format: "csv", columns: [{ name: "id", type: "BIGINT" }] };
 * const reading: FileReading = parseFileReading(stored);
 * ```
 */
export function parseFileReading(stored: JsonValue): FileReading {
  const reading = stored as unknown as FileReading;
  const columns = reading.columns.map((column) =>
    // Readings are compared as text, so the order of the keys stays.
    Object.fromEntries(
      Object.entries(column).map(([key, value]) => [key === FORMER ? "isConfigured" : key, value]),
    ),
  );
  return { ...reading, columns: columns as unknown as FileReading["columns"] };
}

/** The former name of `isConfigured`. */
const FORMER = "given";
