import { join } from "node:path";

import { nodeFiles, throwIfAborted, type Files } from "../../base/mod.ts";
import type { StreamResult } from "../connection.ts";
import { copyToParquet } from "../copy-to-parquet.ts";
import { openDatabase, type DuckDBLimits } from "../database.ts";
import { encodeArrow, encodeCsv, encodeJson, encodeNdjson, type TextOptions } from "./encode.ts";
import { withUniqueNames } from "./unique-names.ts";

/** The output formats of results. */
export const resultFormats = ["json", "ndjson", "csv", "arrow", "parquet"] as const;
/** An output format of results; see `writeResult`. */
export type ResultFormat = (typeof resultFormats)[number];

/** Options of `encodeResult`. */
interface EncodeOptions {
  readonly signal?: AbortSignal;
  readonly limits?: DuckDBLimits;
  /** The file system. Default: the real one. */
  readonly files?: Files;
  readonly text?: TextOptions;
}

/**
 * Encodes a result as a stream of bytes, with bounded memory. Leaving the loop stops the query.
 *
 * JSON: integers and decimals are numbers if a double represents them exactly (53 bits, 15 digits), otherwise strings;
 * dates and timestamps are ISO 8601, with time zone in UTC with `Z`; bytes are base64; `"NaN"`, `"Infinity"` and
 * `"-Infinity"` are strings; maps are arrays of `{key, value}`; a duplicate column name gets the suffix `_1`.
 * In all formats, HUGEINT is a number; UHUGEINT, INTERVAL, TIMETZ, UUID, BIT and ENUM are DuckDB's text; GEOMETRY is
 * WKB; VARIANT and UNION are JSON text.
 * Arrow and Parquet: a duplicate column name gets the suffix `_1`; in Parquet, names that differ only in case count as
 * duplicates.
 * CSV: RFC 4180 with the same texts and LF line ends; a null is an empty field, or `""` in a result with one column,
 * because readers skip empty lines. `parquet` is written to a temporary file first.
 *
 * @throws the errors of the query; `disk_full` for `parquet`; `batch_malformed` for a HUGEINT of more than 38 digits or
 *   the time 24:00:00 in `arrow` and `parquet`
 * @example
 * ```ts
 * const result = await connection.stream("SELECT 42 AS answer");
 * for await (const bytes of encodeResult(result, "ndjson")) process.stdout.write(bytes);
 * ```
 */
export function encodeResult(
  result: StreamResult,
  format: ResultFormat,
  options: EncodeOptions = {},
): AsyncIterable<Uint8Array> {
  switch (format) {
    case "json":
      return closing(result, encodeJson(result, options.text));
    case "ndjson":
      return closing(result, encodeNdjson(result, options.text));
    case "csv":
      return closing(result, encodeCsv(result, options.text));
    case "arrow":
      return closing(result, encodeArrow(result));
    case "parquet":
      return closing(result, encodeParquet(result, options));
  }
}

/** Stops the query even if no row was read. */
async function* closing(
  { batches }: StreamResult,
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* pieces;
  } finally {
    await batches[Symbol.asyncIterator]().return?.();
  }
}

/** The destination of a result: a function that resolves when it accepts more bytes, or a file. */
export type ResultTarget =
  | { readonly write: (bytes: Uint8Array) => Promise<void> }
  | { readonly path: string; readonly isFile?: boolean };

/**
 * Writes a result; see `encodeResult` for the formats.
 * @throws the errors of the query, `aborted`, `disk_full`, `file_failed`
 */
export async function writeResult(
  result: StreamResult,
  options: ResultTarget & EncodeOptions & { readonly format: ResultFormat },
): Promise<void> {
  const { format, signal, files = nodeFiles() } = options;
  // DuckDB writes Parquet to a file itself; devices and pipes are written from start to end.
  if ("path" in options && format === "parquet" && options.isFile !== false)
    return writeParquet(result, options.path, options);
  const pieces = untilAborted(encodeResult(result, format, options), signal);
  if ("path" in options) {
    const isFile = options.isFile !== false;
    await files.writeChunks(options.path, pieces, isFile ? { replace: true } : { append: true });
  } else for await (const bytes of pieces) await options.write(bytes);
}

async function* untilAborted(
  pieces: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const bytes of pieces) {
    throwIfAborted(signal, "writing the result");
    yield bytes;
  }
}

async function writeParquet(
  result: StreamResult,
  path: string,
  { signal, limits = {}, files = nodeFiles() }: EncodeOptions,
): Promise<void> {
  await using database = await openDatabase({ files, limits });
  // Most Parquet readers do not distinguish `id` and `ID`.
  const { schema, batches } = withUniqueNames(result, (name) => name.toLowerCase());
  const source = { schema, open: () => batches };
  const options = { ordered: true, ...(signal === undefined ? {} : { signal }) };
  await copyToParquet(database, { kind: "stream", source }, path, options);
}

async function* encodeParquet(
  result: StreamResult,
  options: EncodeOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const { files = nodeFiles(), limits } = options;
  const parent = limits?.temporaryDirectory;
  const directory = await files.makeTemporaryDirectory(
    "agnes-parquet-",
    parent === undefined ? {} : { parent },
  );
  try {
    const path = join(directory, "result.parquet");
    await writeParquet(result, path, options);
    // The reader may keep the bytes.
    for await (const bytes of files.readChunks(path, 1 << 18)) yield Buffer.from(bytes);
  } finally {
    await files.removeDirectory(directory).catch(() => {});
  }
}
