import * as v from "valibot";

import type { FileReading, JsonValue } from "./batch.ts";

/**
 * Parses a `FileReading` that was stored as JSON, such as in `ReadResult.state`, also by an earlier version of Agnes.
 * Returns `null` for any other value: read the files in full then. Throws nothing.
 *
 * @example
 * ```ts
 * import { parseFileReading, type FileReading } from "agnes/kit";
 * const stored = { format: "csv", columns: [{ name: "id", type: "BIGINT" }] };
 * const reading: FileReading | null = parseFileReading(stored);
 * console.log(parseFileReading({ version: 1 })); // null
 * ```
 */
export function parseFileReading(stored: JsonValue | undefined): FileReading | null {
  if (!v.is(withColumns, stored)) return null;
  const columns = stored.columns.map((column) =>
    // Readings are compared as text, so the order of the keys stays.
    Object.fromEntries(
      Object.entries(column).map(([key, value]) => [key === FORMER ? "isConfigured" : key, value]),
    ),
  );
  const reading: object = { ...(stored as object), columns };
  return v.is(fileReading, reading) ? (reading as FileReading) : null;
}

/** The former name of `isConfigured`. */
const FORMER = "given";

const text = v.string();
const texts = v.array(text);

const withColumns = v.looseObject({ columns: v.array(v.looseObject({})) });

const fileReading = v.looseObject({
  format: v.picklist(["parquet", "csv", "ndjson", "json"]),
  csv: v.optional(
    v.looseObject({
      delimiter: text,
      quote: text,
      escape: text,
      header: v.boolean(),
      nullValues: texts,
      encoding: text,
      decimalSeparator: text,
      thousandsSeparator: text,
      skipLines: v.number(),
      comment: text,
      maxLineBytes: v.number(),
      names: v.optional(texts),
    }),
  ),
  columns: v.array(
    v.looseObject({
      name: text,
      type: text,
      key: v.optional(text),
      format: v.optional(text),
      isConfigured: v.optional(v.boolean()),
      description: v.optional(text),
    }),
  ),
  notes: v.optional(texts),
});
