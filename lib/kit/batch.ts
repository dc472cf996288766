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
  /** For `csv`. */
  readonly csv?: CsvOptions;
  /** DuckDB types by column that override the sniffed ones, for csv, ndjson and json. */
  readonly types?: Readonly<Record<string, string>>;
  /**
   * What the chunk was made from, unique within the table: a path, a slice. Rows of one origin get parts of
   * their own, which a later read can keep; see `ReadEnd.kept`.
   *
   * A chunk holds all rows of its origin, also in a read with a cursor: they replace those published of it. A read
   * yields origins in the order of their names, by UTF-16 code units: of several rows with one key the last stays.
   */
  readonly origin?: string;
}

/** How a CSV file is written; what is left out is sniffed. */
export interface CsvOptions {
  readonly delimiter?: string;
  readonly quote?: string;
  readonly escape?: string;
  readonly header?: boolean;
  /** The texts that stand for null. */
  readonly nullValues?: readonly string[];
  readonly dateFormat?: string;
  readonly timestampFormat?: string;
  /** Column names, for a file without a header. */
  readonly names?: readonly string[];
  readonly encoding?: string;
}

/**
 * What a connector yields: an Arrow `RecordBatch` (8 to 16 thousand rows are best), row objects, or a file chunk.
 * All batches of one read describe the same columns.
 */
export type Batch = RecordBatch | readonly Row[] | FileChunk;

/**
 * Rows that are gone from the source, by their primary keys; what a `read` may yield between its batches.
 *
 * They take effect in the order of the read: a row that was yielded before is removed, one that is yielded afterwards
 * exists. Published rows of these keys are removed in the same publish; a key of which there is no row is fine. Each key
 * has a value for every column of the table's primary key; other columns are ignored. For a table without a primary key
 * the read fails with `deletions_without_key`.
 *
 * @example
 * ```ts
 * import { isDeletions, type Deletions } from "agnes/kit";
 * const gone: Deletions = { kind: "deletions", keys: [{ id: 7 }, { id: 9 }] };
 * isDeletions(gone); // true
 * ```
 */
export interface Deletions {
  readonly kind: "deletions";
  /** The keys: objects that name each column of the primary key. */
  readonly keys: readonly Row[];
}

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
  /**
   * Origins that did not change and were not yielded: their published parts stay. When it is returned, also by a read
   * with a cursor, rows of origins that were neither yielded nor kept are removed.
   */
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
  /**
   * Which rows are wanted. `true`, for tables with a primary key: those whose cursor column is greater than or equal to
   * the value, and those where it is null; what was read before is merged by its key. `false`, for tables without one:
   * only those whose cursor column is greater, because an equal or a null one cannot be told from a row read before.
   */
  readonly inclusive: boolean;
}

/** How a table is to be read. What a connector cannot push down, the runtime applies. */
export interface ReadOptions {
  /** The columns wanted, in this order. Default: all. */
  readonly columns?: readonly string[];
  /** Conditions, ANDed. */
  readonly filter?: readonly Filter[];
  /** Only rows from the value on are wanted; `Cursor.inclusive` says which exactly. Yield those and no others. */
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
export function isFileChunk(batch: Batch | Deletions): batch is FileChunk {
  return !Array.isArray(batch) && (batch as Partial<FileChunk>).kind === "file";
}

/**
 * Whether what a read yielded says that rows are gone.
 *
 * @example
 * ```ts
 * import { isDeletions } from "agnes/kit";
 * isDeletions({ kind: "deletions", keys: [{ id: 1 }] }); // true
 * isDeletions([{ id: 1 }]); // false
 * ```
 */
export function isDeletions(batch: Batch | Deletions): batch is Deletions {
  return !Array.isArray(batch) && (batch as Partial<Deletions>).kind === "deletions";
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
export function isRows(batch: Batch | Deletions): batch is readonly Row[] {
  return Array.isArray(batch);
}
