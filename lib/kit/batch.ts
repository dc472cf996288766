import type { RecordBatch } from "apache-arrow";

import type { SourceJob } from "./source-job.ts";

/** One row as an object: values by column name. A missing key is null; the column builders list the accepted values. */
export type Row = Readonly<Record<string, unknown>>;

/** The format of a file chunk: `ndjson` has one object per line, `json` one array of objects. */
export type FileFormat = "parquet" | "csv" | "ndjson" | "json";

/**
 * A file that DuckDB reads directly: the fastest format for data that is already serialised.
 *
 * @example
 * ```ts
 * import type { FileChunk } from "agnes/kit";
 * const orders: FileChunk = {
 *   kind: "file", format: "csv", data: "/data/orders.csv.gz", csv: { delimiter: ";", nullValues: ["", "NULL"] },
 * };
 * ```
 */
export interface FileChunk {
  readonly kind: "file";
  readonly format: FileFormat;
  /**
   * An absolute local path, or the bytes. A file with `reading` and `origin`, or in `ReadOptions.directory`, must exist until
   * the read ends.
   */
  readonly data: string | AsyncIterable<Uint8Array>;
  /** How the bytes are compressed. Default: `auto`, by the extension of the path; for bytes, `none`. */
  readonly compression?: "auto" | "none" | "gzip" | "zstd";
  /** How to read the file, as determined by `DuckDBEngine.inspect`. Default: detected from this chunk alone. */
  readonly reading?: FileReading;
  /** The known part of the dialect, for `csv` without `reading`. */
  readonly csv?: CsvOptions;
  /** DuckDB types by column, for csv, ndjson and json without `reading`. */
  readonly types?: Readonly<Record<string, string>>;
  /** Constant values by column, such as partition values from the path. Text or null. */
  readonly constants?: Readonly<Record<string, string | null>>;
  /**
   * The source of the chunk, unique within the table: a path or a slice. Each origin is written to its own parts,
   * which a later read can keep; see `ReadResult.kept`. Errors name the origin.
   *
   * A chunk holds all rows of its origin, also in a read with a cursor: they replace the published rows of that origin.
   * A read yields origins sorted by name in UTF-16 code units. If several rows have the same key, the last one is kept.
   */
  readonly origin?: string;
  /** The name of a file without `origin` in errors, such as `slice 3 of 40`. Default: the path, or `a yielded file` for bytes. */
  readonly label?: string;
}

/** The dialect of a CSV file; omitted options are detected. */
export interface CsvOptions {
  /** The separator between values, 1 to 4 bytes. */
  readonly delimiter?: string;
  /** The quote character; an empty string disables quoting. */
  readonly quote?: string;
  /** The escape character for a quote inside a value. Default: the quote character. */
  readonly escape?: string;
  /** Whether the first record contains the column names. Default: `true`, or `false` if `names` is set. */
  readonly header?: boolean;
  /** The strings that represent null. Default: the empty string. */
  readonly nullValues?: readonly string[];
  /** Whether a quoted string can be one of `nullValues`. Default: `true`; `false`: `""` is text and not null. */
  readonly quotedNulls?: boolean;
  /** The strptime format of dates, such as `%d.%m.%Y`. */
  readonly dateFormat?: string;
  /** The strptime format of timestamps. */
  readonly timestampFormat?: string;
  /** Column names, for a file without a header. */
  readonly names?: readonly string[];
  /** `utf-8`, `utf-16le`, `utf-16be`, `latin1`, `windows-1252` and others. Default: from the byte order mark, otherwise UTF-8. */
  readonly encoding?: string;
  /** The decimal separator. Default: `.`. */
  readonly decimalSeparator?: string;
  /** The thousands separator. Default: none. */
  readonly thousandsSeparator?: string;
  /** Number of lines to skip before the header, or before the first row if there is no header. Default: 0. */
  readonly skipLines?: number;
  /** Lines that begin with this character are ignored. Default: none. */
  readonly comment?: string;
  /** The maximum length of a record in bytes. Default: 16 MiB. */
  readonly maxLineBytes?: number;
}

/** A complete CSV dialect, as `DuckDBEngine.inspect` determines it; the fields are those of `CsvOptions`. */
export interface CsvDialect {
  readonly delimiter: string;
  /** An empty string: values are not quoted. */
  readonly quote: string;
  readonly escape: string;
  readonly header: boolean;
  readonly nullValues: readonly string[];
  /** Default: `true`. */
  readonly quotedNulls?: boolean;
  readonly encoding: string;
  readonly decimalSeparator: string;
  /** An empty string: there is none. */
  readonly thousandsSeparator: string;
  readonly skipLines: number;
  /** An empty string: there are no comments. */
  readonly comment: string;
  readonly maxLineBytes: number;
  /** Column names that replace those of the header. */
  readonly names?: readonly string[];
}

/** One column of a file and how its values are parsed. */
export interface FileColumn {
  readonly name: string;
  /** The DuckDB type. */
  readonly type: string;
  /** The name in the file, if it differs: JSON keys that differ only in case, repeated or empty names. */
  readonly key?: string;
  /** The strptime format of date or timestamp values. Default: ISO 8601. */
  readonly format?: string;
  /** Whether the type was configured rather than detected. */
  readonly isConfigured?: boolean;
  /**
   * Whether an empty text, quoted or not, is null; for columns of `csv` and `parquet` files. Ignored for `VARCHAR`; never
   * detected. Default: `false`: an empty text does not fit, unless it is one of `nullValues`.
   */
  readonly nullIfEmpty?: boolean;
  /** The meaning of the values if the type alone is ambiguous: `duration in seconds`. Default: none. */
  readonly description?: string;
}

/**
 * How to read the files of one table: dialect, names and types, determined once from all files and then passed to every
 * read. Plain JSON, so that a connector can store it in `ReadResult.state`.
 */
export interface FileReading {
  readonly format: FileFormat;
  /** Only for `csv`. */
  readonly csv?: CsvDialect;
  /** All columns of the table, in order; a file may contain only some of them. */
  readonly columns: readonly FileColumn[];
  /** Notes for the user, such as a column kept as text because its dates are ambiguous. */
  readonly notes?: readonly string[];
}

/**
 * A batch that a connector yields: an Arrow `RecordBatch` (8 to 16 thousand rows are best), row objects, or a file chunk.
 * All batches of one read have the same columns.
 */
export type Batch = RecordBatch | readonly Row[] | FileChunk;

/**
 * The primary keys of rows that were deleted in the source. A `read` may yield them between its batches.
 *
 * Deletions apply in the order of the read: a row yielded earlier is removed, a row yielded later is kept. Published rows
 * with these keys are removed in the same publish; keys without a row are ignored. Each key has a value for every column
 * of the table's primary key; other columns are ignored. For a table without a primary key the read fails with
 * `deletions_without_key`.
 *
 * @example
 * ```ts
 * import type { Deletions } from "agnes/kit";
 * const deleted: Deletions = { kind: "deletions", keys: [{ id: 7 }, { id: 9 }] };
 * ```
 */
export interface Deletions {
  readonly kind: "deletions";
  /** The keys: objects that name each column of the primary key. */
  readonly keys: readonly Row[];
}

/** Any JSON value. */
export type JsonValue =
  string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/**
 * The optional result of a `read`, returned after its last batch.
 *
 * "Nothing changed" (`unchanged`) and "the table is empty" (no rows) are different results.
 */
export interface ReadResult {
  /** Nothing changed since the `state` or cursor of the read: all published rows stay. */
  readonly unchanged?: boolean;
  /**
   * The position from which the next read continues: committed after a successful read, also without rows, and passed back
   * as `ReadOptions.state`.
   */
  readonly state?: JsonValue;
  /**
   * Origins of files or rows that did not change and were not yielded: their published parts stay. If `kept` is returned, rows of origins
   * that were neither yielded nor kept are removed, also in a read with a cursor.
   */
  readonly kept?: readonly string[];
  /**
   * Whether a read with `isDelta` yielded all rows of the table after all: they replace the published ones. Default: false.
   */
  readonly isWhole?: boolean;
  /**
   * The exact number of rows that the table has in the source; omit an estimate. If a read with `isDelta` yields as many
   * rows, they replace the published ones. If the table has another number of rows after such a read, for example because
   * rows were deleted in the source, it is read again in full, once; after a full read, a note reports the difference.
   * Ignored with `unchanged`, and for tables with filters or a history limited by the cursor. Default: not compared.
   */
  readonly tableRows?: number;
}

/** A value to compare a column with; a `Date` is a timestamp in UTC. */
export type FilterValue = string | number | bigint | boolean | Date;

/**
 * One condition; several are ANDed. `eq` and `ne` with several values mean "one of" and "none of"; `is_null` and
 * `is_not_null` have no values. No other condition matches null. Text is compared by bytes, except with `isDecimal`.
 */
export interface Filter {
  readonly column: string;
  readonly operator: "eq" | "ne" | "gt" | "ge" | "lt" | "le" | "is_null" | "is_not_null";
  /** The values to compare with. Without values, `eq` matches no row. */
  readonly values: readonly FilterValue[];
  /**
   * Whether the values are decimal numbers as text, such as `-5.25`, which the type of the column represents exactly. They
   * are compared as numbers; `filterToSql` writes them as such. A query sets it for conditions on `decimal` columns.
   * Default: `false`.
   */
  readonly isDecimal?: boolean;
}

/** The position of incremental reads. */
export interface Cursor {
  /** The cursor column of the table. */
  readonly column: string;
  /**
   * The greatest published value, moved back by the table's lookback window, as text in DuckDB's format
   * (`2026-01-31 10:00:00`, `42`).
   */
  readonly value: string;
  /**
   * Which rows to read. `true`, for tables with a primary key: rows whose cursor column is greater than or equal to the
   * value, or null; rows that were read before are merged by key. `false`, for tables without a primary key: only rows
   * whose cursor column is greater, because equal or null values cannot be distinguished from rows read before.
   */
  readonly inclusive: boolean;
}

/**
 * Progress of a read; the runtime counts the rows itself. Omitted fields keep the value reported before.
 *
 * @example
 * ```ts
 * import type { ReadProgress } from "agnes/kit";
 * const exporting: ReadProgress = { phase: "exporting" };
 * const exported: ReadProgress = { totalRows: 12_000 }; // known only once the job is done
 * ```
 */
export interface ReadProgress {
  /** A short name of the current phase: `exporting`, `downloading 3 of 12`. */
  readonly phase?: string;
  /** Number of rows the read will yield. Default: `TableInfo.estimatedRows`. */
  readonly totalRows?: number;
  /** Size in bytes of the files the read will yield. Default: `TableInfo.estimatedBytes`. */
  readonly totalBytes?: number;
}

/**
 * The part of a table that one read of a first load yields, as a half-open range of the cursor column: from `from` up to,
 * but not including, `to`. Both are in UTC, at the start of a day.
 */
export interface ReadWindow {
  /** The cursor column of the table. */
  readonly column: string;
  /** Inclusive. Default: from the start of the table. */
  readonly from?: Date;
  /** Exclusive. Default: to the end of the table; this window is the last. */
  readonly to?: Date;
}

/**
 * The part of a table that one read of a first load yields: the rows that were last changed from `from` up to `to`, by the
 * times of the source. Rows at or beyond the ends may be yielded too, because rows are merged by their key.
 *
 * @example
 * ```ts
 * import type { ReadChanges } from "agnes/kit";
 * const january: ReadChanges = { from: new Date("2026-01-01"), to: new Date("2026-02-01") };
 * ```
 */
export interface ReadChanges {
  /** Default: from the oldest row. */
  readonly from?: Date;
  /** Default: to the end of the table; this window is the last. */
  readonly to?: Date;
}

/** How to read a table. The runtime applies what a connector cannot push down. */
export interface ReadOptions {
  /**
   * The columns to read, in this order. Default: all. For a table with `full_keys`, a sync may read only the columns of its
   * primary key, to find deleted rows: without `state`, `cursor` and `isDelta`, before the read of the new rows.
   */
  readonly columns?: readonly string[];
  /**
   * Conditions, ANDed. The read may yield rows that do not match, because the runtime filters again; it must yield all
   * rows that match. For a live table these are the conditions of the query and up to 10,000 values of a join key.
   */
  readonly filter?: readonly Filter[];
  /**
   * The number of rows needed, any rows; more may be yielded. Only without `filter`, except for a plugin with
   * `sourceQuery`: there it is the number of rows needed that match `filter`, so it must be ignored unless the source
   * applies all conditions exactly. A sync publishes exactly this number of rows, and still reads to the end. With a
   * `limit`, a sync accepts neither deletions nor `ReadResult.kept`. Default: all rows.
   */
  readonly limit?: number;
  /**
   * The fields of `source_query` that `Plugin.sourceQuery` declares, for a materialized table whose query has any. They are
   * the written values, which were checked by that schema; placeholders such as `{{today}}` are replaced. Parse them with the
   * schema, for its types and defaults: `v.parse(schema, options.sourceQuery)`. Default: the query has none of them.
   */
  readonly sourceQuery?: Readonly<Record<string, JsonValue>>;
  /**
   * Yield only rows from this value on; `Cursor.inclusive` defines exactly which. The first read of a table has no cursor,
   * because there is no value yet, and the column may be one of the registry. A connector that cannot select by a column
   * therefore rejects it in the next read.
   */
  readonly cursor?: Cursor;
  /**
   * The window of a first load that this read covers, for a table with `initial_load_chunk_days`. `filter` contains the
   * same conditions (`ge` from, `lt` to), so a connector that pushes down the filter can ignore this field. The last
   * window may be a `cursor` instead. `state` is not set. Default: the read is not part of a windowed load.
   */
  readonly window?: ReadWindow;
  /**
   * The window of a first load by the time of changes that this read covers, for a table with `initial_load_chunk_days`,
   * `TableInfo.changesFrom`, a primary key and no cursor column. `state` is then that of the first window. Once the read
   * returns `ReadResult.tableRows` and the table has as many rows, the other windows are not read. Return it, except in the
   * last window, only if the table has not changed since the first window. Default: the read is not part of such a load.
   */
  readonly changes?: ReadChanges;
  /** The bucket, dataset or schema of the table, as registered. Not set if it has none, or outside syncs and
   * queries. */
  readonly bucket?: string;
  /**
   * The `ReadResult.state` of the last published read. Not set on the first read of a table, with `agnes sync --full`, and
   * after a change of its configuration. A full refresh has a `state` but no `isDelta`: then yield all rows, or return
   * `unchanged` or `kept`.
   */
  readonly state?: JsonValue;
  /**
   * Whether the rows read are merged into the published rows, as for an `incremental` or `partitioned` table that was
   * published before. A read by `state` then yields only what changed since. Default: `false`: the rows read replace the
   * published ones, so yield all rows. Not set outside a sync.
   */
  readonly isDelta?: boolean;
  /**
   * Whether the read may yield its rows by origin (`withOrigin`), so that later reads yield only the origins that changed:
   * set for an `incremental` table without a cursor column. File chunks may have an origin in any read. Default: `false`:
   * the origins of rows have no use.
   */
  readonly byOrigin?: boolean;
  /** The user on whose behalf a query reads, as in `SourceQueryOptions.user`. Not set in a sync. */
  readonly user?: string;
  /** The number of rows a batch should have. Default: 8192. */
  readonly batchRows: number;
  /** Aborts when the read must stop. */
  readonly signal: AbortSignal;
  /**
   * An absolute path of a folder for files of this read, such as downloads; the connector creates it when needed. It is
   * kept if the read fails or stops, so that the next read of the table can resume, and removed when the table is
   * published. A read of the keys alone has another folder. Not set outside a sync.
   */
  readonly directory?: string;
  /** Receives progress for `agnes sync`; each call also resets the stall timeout. */
  readonly onProgress?: (progress: ReadProgress) => void;
  /**
   * Receives each job that the source runs and may bill: when it starts, and again with the same id when more is known, at
   * the latest before the read ends. A job that is stopped is reported as cancelled, also after the read has ended.
   */
  readonly onJob?: (job: SourceJob) => void;
}

/** Returns whether a batch is a file chunk. */
export function isFileChunk(batch: Batch | Deletions): batch is FileChunk {
  return (batch as Partial<FileChunk> | null | undefined)?.kind === "file";
}

/** Returns whether a read yielded deletions. */
export function isDeletions(batch: Batch | Deletions): batch is Deletions {
  return (batch as Partial<Deletions> | null | undefined)?.kind === "deletions";
}

/** Returns whether a batch is an array of row objects. */
export function isRows(batch: Batch | Deletions): batch is readonly Row[] {
  return Array.isArray(batch);
}
