import type { RecordBatch } from "apache-arrow";

/** One row as an object; a missing key is null. */
export type Row = Readonly<Record<string, unknown>>;

/** The format of a file chunk. */
export type FileFormat = "parquet" | "csv" | "ndjson" | "json";

/** A file that DuckDB reads itself: the fastest way in for data that is already serialised. */
export interface FileChunk {
  readonly kind: "file";
  readonly format: FileFormat;
  /** An absolute local path, or the bytes. A file with `reading` and `origin` must stay until the read has ended. */
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
   *
   * A chunk holds all rows of its origin, also in a read with a cursor: they replace those published of it. A read
   * yields origins in the order of their names, by UTF-16 code units: of several rows with one key the last stays.
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
  /** The names that somebody gave, instead of those of the header. */
  readonly names?: readonly string[];
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
  /** What the values stand for, where the type alone does not tell: `duration in seconds`. Default: nothing to say. */
  readonly description?: string;
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

/**
 * One condition; several are ANDed. `eq` and `ne` with several values mean "one of" and "none of"; `is_null` and
 * `is_not_null` have no values. No other condition holds for a null. Texts are compared by their bytes.
 */
export interface Filter {
  readonly column: string;
  readonly operator: "eq" | "ne" | "gt" | "ge" | "lt" | "le" | "is_null" | "is_not_null";
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

/**
 * What a read reports beside its rows, which the runtime counts itself. What is absent stays as it was reported before.
 *
 * @example
 * ```ts
 * import type { ReadProgress } from "agnes/kit";
 * const exporting: ReadProgress = { phase: "exporting" };
 * const exported: ReadProgress = { totalRows: 12_000 }; // known only once the job is done
 * ```
 */
export interface ReadProgress {
  /** What is going on, in a few words: `exporting`, `downloading 3 of 12`. */
  readonly phase?: string;
  /** How many rows the read will yield. Default: `TableInfo.estimatedRows`. */
  readonly totalRows?: number;
  /** How many bytes of files the read will yield. Default: `TableInfo.estimatedBytes`. */
  readonly totalBytes?: number;
}

/**
 * The part of a table that one read of a first load is to give, by the cursor column: values from `from` on that are
 * before `to`. Dates are in UTC, at the start of a day.
 */
export interface ReadWindow {
  readonly column: string;
  /** Inclusive. Absent: from the start of the table. */
  readonly from?: Date;
  /** Exclusive. Absent: to the end of the table; this window is the last. */
  readonly to?: Date;
}

/** How a table is to be read. What a connector cannot push down, the runtime applies. */
export interface ReadOptions {
  /** The columns wanted, in this order. Default: all. */
  readonly columns?: readonly string[];
  /**
   * Conditions, ANDed. Rows that do not meet them may be yielded, since they are filtered again; rows that do must not be
   * left out. Of a live table these are the conditions of the query, and up to 10,000 values of a join key.
   */
  readonly filter?: readonly Filter[];
  /** No more rows are wanted, whichever they are; more may be yielded. Only without `filter`. Default: all rows. */
  readonly limit?: number;
  /** Only rows from the value on are wanted; `Cursor.inclusive` says which exactly. Yield those and no others. */
  readonly cursor?: Cursor;
  /**
   * Which window of a first load this read is, of a table with `initial_load_chunk_days`. `filter` holds the same
   * conditions (`ge` from, `lt` to), so a connector that passes the filter on need not look here; the last window may
   * come as a `cursor` instead. No `state` is given. Default: the read is no window.
   */
  readonly window?: ReadWindow;
  /** The bucket, dataset or schema of the table, as it is registered. Absent outside a sync, and when there is none. */
  readonly bucket?: string;
  /** What the last published read returned as `ReadEnd.state`; absent on a full read. */
  readonly state?: JsonValue;
  /** How many rows a batch should have. Default 8192. */
  readonly batchRows: number;
  /** Fires when the read must stop. */
  readonly signal: AbortSignal;
  /**
   * A folder for files of this read, such as downloads; absolute, and made by whoever writes into it. It is kept when
   * the read fails or stops, so that the next read of the table can resume, and removed when the table is published.
   * Absent outside a sync.
   */
  readonly directory?: string;
  /** Takes in what goes on, for the progress of `agnes sync`; each call also shows that the read is not stuck. */
  readonly onProgress?: (progress: ReadProgress) => void;
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
  return (batch as Partial<FileChunk> | null | undefined)?.kind === "file";
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
  return (batch as Partial<Deletions> | null | undefined)?.kind === "deletions";
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
