import type { RecordBatch } from "apache-arrow";

/** One row as an object; a missing key is null. */
export type Row = Readonly<Record<string, unknown>>;

/** The format of a file chunk. */
export type FileFormat = "parquet" | "csv" | "ndjson" | "json";

/** A file that DuckDB reads itself: the fastest way in for data that is already serialised. */
export interface FileChunk {
  readonly kind: "file";
  readonly format: FileFormat;
  /** An absolute local path, or the bytes. */
  readonly data: string | AsyncIterable<Uint8Array>;
  /** How the bytes are compressed. Default: `auto`, by the ending of the path; bytes: `none`. */
  readonly compression?: "auto" | "none" | "gzip" | "zstd";
  /** How the file is read, as `DuckDBEngine.inspect` decided it. Default: decided from this chunk alone. */
  readonly reading?: FileReading;
  /** For `csv`, without `reading`: what is known of the dialect. */
  readonly csv?: CsvOptions;
  /** DuckDB types by column, for csv, ndjson and json without `reading`. */
  readonly types?: Readonly<Record<string, string>>;
  /** Values that every row of the file has, by column: partition values of its path. Text, or null. */
  readonly constants?: Readonly<Record<string, string | null>>;
  /**
   * What the chunk was made from, unique within the table: a path, a slice. Rows of one origin get parts of
   * their own, which a later read can keep; see `ReadEnd.kept`. Errors name it.
   */
  readonly origin?: string;
}

/** How a CSV file is written; what is left out is detected. */
export interface CsvOptions {
  /** What separates the values, 1 to 4 bytes. */
  readonly delimiter?: string;
  /** What encloses a value; an empty text: nothing does. */
  readonly quote?: string;
  /** What escapes a quote inside a value. Default: the quote itself. */
  readonly escape?: string;
  /** Whether the first record holds the names. Default `true`, unless `names` are given. */
  readonly header?: boolean;
  /** The texts that stand for null. Default: the empty text. */
  readonly nullValues?: readonly string[];
  /** How dates are written, in the notation of strptime: `%d.%m.%Y`. */
  readonly dateFormat?: string;
  /** How timestamps are written, in the notation of strptime. */
  readonly timestampFormat?: string;
  /** Column names, for a file without a header. */
  readonly names?: readonly string[];
  /** `utf-8`, `utf-16le`, `utf-16be`, `latin1`, `windows-1252` and the like. Default: by byte order mark, else UTF-8. */
  readonly encoding?: string;
  /** What stands before the fraction of a number. Default `.`. */
  readonly decimalSeparator?: string;
  /** What groups the digits of a number. Default: nothing. */
  readonly thousandsSeparator?: string;
  /** Lines before the header, or before the first row without one. Default 0. */
  readonly skipLines?: number;
  /** Lines that begin with this character are no rows. Default: none. */
  readonly comment?: string;
  /** The longest record, in bytes. Default 16 MiB. */
  readonly maxLineBytes?: number;
}

/** A CSV dialect in which nothing is left to be guessed. */
export interface CsvDialect {
  readonly delimiter: string;
  readonly quote: string;
  readonly escape: string;
  readonly header: boolean;
  readonly nullValues: readonly string[];
  readonly encoding: string;
  readonly decimalSeparator: string;
  readonly thousandsSeparator: string;
  readonly skipLines: number;
  readonly comment: string;
  readonly maxLineBytes: number;
}

/** One column of a file and how its values are read. */
export interface FileColumn {
  readonly name: string;
  /** The DuckDB type. */
  readonly type: string;
  /** The name in the file, where it is another: keys of JSON that differ by case only, repeated or empty names. */
  readonly key?: string;
  /** How values of a date or timestamp are written, in the notation of strptime. Default: ISO 8601. */
  readonly format?: string;
  /** Whether the type was given, not found. */
  readonly given?: boolean;
}

/**
 * How the files of one table are read: dialect, names and types, decided once over all of them and then given to every
 * read. Plain JSON, so that a connector can keep it in `ReadEnd.state`.
 */
export interface FileReading {
  readonly format: FileFormat;
  /** For `csv`. */
  readonly csv?: CsvDialect;
  /** All columns of the table, in order; a file may lack some. */
  readonly columns: readonly FileColumn[];
  /** What a person should know of the decision: a column that stayed text because its dates are ambiguous. */
  readonly notes?: readonly string[];
}

/**
 * What a connector yields: an Arrow `RecordBatch` (8 to 16 thousand rows are best), row objects, or a file chunk.
 * All batches of one read describe the same columns.
 */
export type Batch = RecordBatch | readonly Row[] | FileChunk;

/** What JSON can say. */
export type JsonValue =
  string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/**
 * What a `read` may return after its last batch.
 *
 * "Nothing changed" (`unchanged`) and "the table is empty" (no rows) are different answers.
 */
export interface ReadEnd {
  /** Nothing changed since the `state` or cursor that was given: everything published stays. */
  readonly unchanged?: boolean;
  /** Where the next read may continue; committed with the rows and given back as `ReadOptions.state`. */
  readonly state?: JsonValue;
  /** Origins that did not change and were not yielded: their published parts stay. */
  readonly kept?: readonly string[];
}

/** A value to compare a column with. */
export type FilterValue = string | number | bigint | boolean | Date;

/** One condition; several are ANDed. `eq` and `ne` with several values mean "one of" and "none of". */
export interface Filter {
  readonly column: string;
  readonly operator: "eq" | "ne" | "gt" | "ge" | "lt" | "le";
  readonly values: readonly FilterValue[];
}

/** Where incremental reading stands. */
export interface Cursor {
  readonly column: string;
  /**
   * The greatest value that is published, or one some days before it for a table that looks back, as text in DuckDB's
   * notation (`2026-01-31 10:00:00`, `42`).
   */
  readonly value: string;
}

/** How a table is to be read. What a connector cannot push down, the runtime applies. */
export interface ReadOptions {
  /** The columns wanted, in this order. Default: all. */
  readonly columns?: readonly string[];
  /** Conditions, ANDed. */
  readonly filter?: readonly Filter[];
  /** Only rows whose cursor column is greater than the value are wanted. */
  readonly cursor?: Cursor;
  /** What the last published read returned as `ReadEnd.state`; absent on a full read. */
  readonly state?: JsonValue;
  /** How many rows a batch should have. Default 8192. */
  readonly batchRows: number;
  /** Fires when the read must stop. */
  readonly signal: AbortSignal;
}

/**
 * Whether a batch is a file chunk.
 *
 * @example
 * ```ts
 * import { isFileChunk } from "agnes/kit";
 * isFileChunk({ kind: "file", format: "csv", data: "/data/orders.csv.gz" }); // true
 * ```
 */
export function isFileChunk(batch: Batch): batch is FileChunk {
  return !Array.isArray(batch) && (batch as Partial<FileChunk>).kind === "file";
}

/**
 * Whether a batch is row objects.
 *
 * @example
 * ```ts
 * import { isRows } from "agnes/kit";
 * isRows([{ id: 1 }]); // true
 * ```
 */
export function isRows(batch: Batch): batch is readonly Row[] {
  return Array.isArray(batch);
}
