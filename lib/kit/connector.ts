import type { RecordBatch, Schema } from "apache-arrow";

import type { AgnesError } from "../base/mod.ts";
import type { Batch, Deletions, Filter, JsonValue, ReadResult, ReadOptions, Row } from "./batch.ts";
import type { Capability } from "./capability.ts";
import type { StreamPart } from "./merge-parts.ts";
import type { TableMetadata } from "./metadata.ts";
import type { RemoteAttachInfo } from "./remote.ts";
import type { SourceQueryOptions } from "./source-query.ts";
import type { SourceStatement } from "./statement.ts";
import type { TableInfo } from "./table.ts";

/**
 * The result of a query in the source's engine: its columns, and its rows as one stream of batches or as parts that are
 * read in parallel, such as the streams of a read session. Parts arrive in no particular order. A part that is never
 * opened holds no resources.
 *
 * @example
 * ```ts
 * import { int64, toSchema, type SourceResult } from "agnes/kit";
 * const stream = (first: number) => async function* () {
 *   yield [{ id: first }, { id: first + 1 }];
 * };
 * const result: SourceResult = { schema: toSchema({ id: int64() }), parts: [stream(1), stream(3)] };
 * ```
 */
export type SourceResult =
  | { readonly schema: Schema; readonly batches: AsyncIterable<Batch>; readonly parts?: undefined }
  | { readonly schema: Schema; readonly batches?: undefined; readonly parts: readonly StreamPart<Batch>[] };

/** The rows to select from a live table; see `selectSql`. */
export interface SelectRequest {
  /** At least one. */
  readonly columns: readonly string[];
  /** Conditions, ANDed; may be empty. */
  readonly filter: readonly Filter[];
  /** The number of rows needed, of those that match the whole filter. Default: all. */
  readonly limit?: number;
}

/** The estimated cost of a query, such as that of a dry run, and what else is known before it runs; omitted parts are unknown. */
export interface QueryEstimate {
  /** Number of rows in the result. */
  readonly rows?: number;
  /** Number of bytes that the engine reads or bills. */
  readonly scannedBytes?: number;
  /**
   * The limit of `scannedBytes` of one query in this source now. The queries of one `register` have it together. Default: no
   * limit.
   */
  readonly maxScannedBytes?: number;
  /** The price: 0.05 USD is `{ amount: 0.05, currency: "USD" }`. */
  readonly price?: {
    readonly amount: number;
    /** The ISO 4217 code. */
    readonly currency: string;
  };
  /** The columns of the result, as `query` returns them. */
  readonly schema?: Schema;
  /** The kind of the statement in capital letters, such as `SELECT`. Other statements than a SELECT are not run. */
  readonly statementType?: string;
  /**
   * The names of all tables that the query reads, as `discover` lists them, including those that its views read. Omit it
   * if the list may be incomplete: a caller with access to some tables only is then rejected.
   */
  readonly referencedTables?: readonly string[];
  /** Why `query` would reject the SQL, such as a limit of the source that the estimate exceeds. Default: it would run. */
  readonly problem?: AgnesError;
}

/** A request that a source pushed, unmodified. */
export interface PushRequest {
  readonly method: string;
  readonly url: string;
  /** The values by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  /** The raw bytes, for checking a signature. */
  readonly body: Uint8Array;
}

/** One verified event, spooled to disk before the request is acknowledged. */
export interface PushEvent {
  /** Unique within the source; a replayed event has the same id. */
  readonly id: string;
  /** The content of the event, for `stream`. */
  readonly body: JsonValue;
  /**
   * What the event is about, such as the id of an issue. A later event of the same key supersedes this one: of the events
   * of a key that wait together, `stream` receives only the last. Set it only if that event alone is sufficient, for
   * example because `stream` fetches the issue again. Default: every event is passed to `stream`.
   */
  readonly orderingKey?: string;
}

/**
 * A change of rows. Rows are matched by the table's primary key, and changes apply in order: of several changes of a row
 * the last one wins.
 *
 * - `upsert`: inserts or updates one row. If the table has a cursor column, the row with the greater value wins.
 * - `delete`: deletes the row with this key. With a value of the cursor column, newer rows stay.
 * - `replace`: `rows` are all rows of the table whose columns equal `parent`, such as the comments of one issue. They are
 *   upserted, and the other rows of that parent are deleted; without rows all are. Each row contains the values of
 *   `parent`. The rows are the current state of the source: they replace published rows, also those with a greater cursor.
 *
 * @example
 * ```ts
 * import type { Change } from "agnes/kit";
 * const comments: Change = {
 *   kind: "replace",
 *   table: "comments",
 *   parent: { issue_id: 5 },
 *   rows: [{ id: 71, issue_id: 5, body: "done" }],
 * };
 * ```
 */
export type Change =
  | { readonly kind: "upsert"; readonly table: string; readonly row: Row }
  | { readonly kind: "delete"; readonly table: string; readonly key: Row }
  | {
      readonly kind: "replace";
      readonly table: string;
      /** One or more columns of the table and their values; none is null. */
      readonly parent: Row;
      readonly rows: readonly Row[];
    };

/** `append` adds the rows, `upsert` inserts or updates by the primary key, `replace` replaces all rows of the table. */
export type WriteMode = "append" | "upsert" | "replace";

/** How rows are written back to the source. */
export interface WriteOptions {
  /** The caller always names it. */
  readonly mode: WriteMode;
  /** Aborts when the write must stop. */
  readonly signal: AbortSignal;
}

/** Which table rows are written to; see `WriteOptions`. */
export interface WriteTargetOptions extends WriteOptions {
  /** The registered bucket of the table, as in `ReadOptions.bucket`. Default: none. */
  readonly bucket?: string;
}

/** A column whose description or type is written to the source; see `writeMetadata`. */
export interface ColumnToDescribe {
  readonly name: string;
  /** Never empty. Omitted: the description in the source stays. */
  readonly description?: string;
  /**
   * The registered type in SQL, such as `DECIMAL(12,2)`. It is not checked: it may be written in another way, or be no type.
   * Omitted: the type in the source stays.
   */
  readonly type?: string;
}

/** How the metadata of columns is written to the source. */
export interface WriteMetadataOptions {
  /** The registered bucket of the table, as in `ReadOptions.bucket`. Default: none. */
  readonly bucket?: string;
  /** Whether to run all checks and write nothing. Default: `false`. */
  readonly dryRun?: boolean;
  /** Aborts when the write must stop. */
  readonly signal: AbortSignal;
}

/**
 * What happened to one description or type, or in a dry run would happen.
 *
 * - `written`: the source has the new value.
 * - `unchanged`: the source already has this value, so nothing was sent.
 * - `skipped`: the source keeps its value; `reason` states why.
 *
 * @example
 * ```ts
 * import type { MetadataChange } from "agnes/kit";
 * const change: MetadataChange = {
 *   column: "amount", part: "type", outcome: "written", value: "DECIMAL(12,2)", before: "VARCHAR",
 * };
 * ```
 */
export interface MetadataChange {
  readonly column: string;
  readonly part: "description" | "type";
  readonly outcome: "written" | "unchanged" | "skipped";
  /** The requested value. */
  readonly value: string;
  /** The earlier value in the source, a type as `discover` describes it; null: none, or there is no such column. */
  readonly before: string | null;
  /** Why it was skipped, one sentence without secrets. */
  readonly reason?: string;
}

/** The result of a health check. */
export interface Health {
  /** Whether the source can be reached with the configured secrets. */
  readonly ok: boolean;
  /** One sentence for the user, without secrets. */
  readonly message: string;
}

/** The methods that each capability requires; methods with `?` are optional. Report failures with `permanent` and `transient`. */
export interface CapabilityMethods {
  discover: {
    /** Lists the tables of the source, as one array or page by page. Table names are unique. */
    discover(options: {
      readonly signal: AbortSignal;
    }): Promise<readonly TableInfo[]> | AsyncIterable<TableInfo | readonly TableInfo[]>;
  };
  read: {
    /** Reads a table in batches. May also yield `Deletions` and return a `ReadResult`. */
    read(table: TableInfo, options: ReadOptions): AsyncIterable<Batch | Deletions, ReadResult | void>;
  };
  stream: {
    /** Verifies a pushed request and returns its events; throws if the request is not authentic. */
    verify(request: PushRequest): Promise<readonly PushEvent[]>;
    /**
     * Turns events, in order, into changes of rows. A sync calls it for the events that wait, before it reads the tables; it
     * publishes all changes of a batch together. If it fails, the events wait for the next sync.
     */
    stream(
      events: AsyncIterable<PushEvent>,
      options: { readonly tables: readonly TableInfo[]; readonly signal: AbortSignal },
    ): AsyncIterable<Change>;
  };
  remote: {
    /** Returns how DuckDB attaches the source. Does no I/O. */
    remote(): RemoteAttachInfo;
  };
  query: {
    /** Runs SQL in the source's engine. */
    query(sql: string, options: SourceQueryOptions): Promise<SourceResult>;
    /**
     * Estimates the cost of the SQL without running it. Called for the queries of `register` before any of them runs, by the
     * contract suite and by `agnes connector test`.
     */
    estimate?(
      sql: string,
      options: Omit<SourceQueryOptions, "limits" | "isMaterialized" | "onJob">,
    ): Promise<QueryEstimate>;
    /**
     * Returns the SELECT for a live table in the SQL dialect of the source. It may return rows that do not match the
     * filter, but must return all rows that do. Default: standard SQL over `TableInfo.remotePath`, with only the
     * conditions that all engines evaluate in the same manner.
     */
    selectSql?(table: TableInfo, request: SelectRequest): string;
    /**
     * Returns a whole query of live tables of this source in its SQL, which `query` then runs; null if the source may evaluate a
     * part of it differently from DuckDB. The rows may have any order. Default: queries are never sent as a whole.
     */
    statementSql?(
      statement: SourceStatement,
      options: { readonly signal: AbortSignal },
    ): Promise<string | null>;
  };
  metadata: {
    /** Returns metadata of tables without reading rows, without unknown tables. The metadata cache calls it table by table. */
    metadata(
      tables: readonly TableInfo[],
      options: { readonly signal: AbortSignal },
    ): Promise<readonly TableMetadata[]>;
  };
  write: {
    /**
     * Writes rows back to the source; resolves to the number of accepted rows.
     *
     * The batches have the columns of `table`, in its order. A column may have a narrower type, such as `Int32` for
     * `Int64`, whose values all fit. With `upsert` and `replace` the primary key is never null and occurs once. If the
     * batches fail, nothing may be written.
     */
    write(
      table: TableInfo,
      batches: AsyncIterable<RecordBatch>,
      options: WriteOptions,
    ): Promise<{ readonly rows: number }>;
    /**
     * Describes a table to write to, with its exact types, and rejects if it does not take rows in this mode. Writes
     * nothing. Called before `write` and by a dry run. Null: there is no such table. Default: `discover`.
     */
    writeTarget?(name: string, options: WriteTargetOptions): Promise<TableInfo | null>;
    /**
     * Reads all rows and rejects if `write` would reject their values. Writes nothing. Called by a dry run. Default: only
     * names, types and keys are checked.
     */
    checkWrite?(table: TableInfo, batches: AsyncIterable<RecordBatch>, options: WriteOptions): Promise<void>;
    /**
     * Writes descriptions and types of columns to a table of the source, and sends only what differs. Returns one change for
     * each requested description and type, in the order of the columns. A type counts as written only if `discover` returns
     * exactly this type afterwards. A value that a person set in the source is not replaced, and a column that the table
     * does not have is skipped. Null: there is no such table.
     */
    writeMetadata?(
      name: string,
      columns: readonly ColumnToDescribe[],
      options: WriteMetadataOptions,
    ): Promise<readonly MetadataChange[] | null>;
  };
}

/** Optional methods of every connector. */
export interface CommonMethods {
  /**
   * Describes a table again from all its values, after some did not match the columns that `discover` returned. The
   * runtime then reads the table again.
   *
   * With `keepKinds`, columns are only widened to types of the same kind (see `InspectOptions.keepKinds`), and the runtime
   * rejects rows with values of another kind. Default: `false`.
   */
  redescribe?(
    table: TableInfo,
    options: { readonly signal: AbortSignal; readonly keepKinds?: boolean },
  ): Promise<TableInfo>;
  /** Checks whether the source can be reached with the configured secrets. */
  health?(options: { readonly signal: AbortSignal }): Promise<Health>;
  /** Releases the resources that `connect` opened. Called once at the end; must be safe to call twice. */
  close?(): Promise<void> | void;
}

type AllMethods = CapabilityMethods["discover"] &
  CapabilityMethods["read"] &
  CapabilityMethods["stream"] &
  CapabilityMethods["remote"] &
  CapabilityMethods["query"] &
  CapabilityMethods["metadata"] &
  CapabilityMethods["write"];

type MethodName<C extends Capability> = { [K in C]: keyof CapabilityMethods[K] }[C] & keyof AllMethods;

/** A connector with exactly the methods of its capabilities: a missing or undeclared one does not compile. */
// A conditional type, not an intersection: otherwise the compiler does not infer the types of method parameters.
export type Connector<C extends Capability> = [C] extends [Capability]
  ? CommonMethods &
      Pick<AllMethods, MethodName<C>> & {
        readonly [Undeclared in Exclude<keyof AllMethods, MethodName<C>>]?: never;
      }
  : never;

/** A connector whose capabilities are known only at run time. */
export type AnyConnector = Partial<AllMethods> & CommonMethods;

/** The names of the required methods of each capability. */
export const capabilityMethods: { readonly [C in Capability]: readonly (keyof AnyConnector)[] } = {
  discover: ["discover"],
  read: ["read"],
  stream: ["verify", "stream"],
  remote: ["remote"],
  query: ["query"],
  metadata: ["metadata"],
  write: ["write"],
};

/** The names of the optional methods of each capability. */
export const optionalMethods: { readonly [C in Capability]?: readonly (keyof AnyConnector)[] } = {
  query: ["estimate", "selectSql", "statementSql"],
  write: ["writeTarget", "checkWrite", "writeMetadata"],
};
