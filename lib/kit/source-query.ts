import type { QueryParameter } from "./query-parameter.ts";
import type { SourceJob } from "./source-job.ts";

/** Limits of one query; the caller of the query sets the defaults. */
export interface QueryLimits {
  /** Maximum number of rows in the result. */
  readonly maxRows?: number;
  /** Maximum size of the result in bytes, each row counted as a line of JSON. */
  readonly maxBytes?: number;
  /** Timeout in milliseconds, from the call until the last row is read. */
  readonly timeoutMs?: number;
}

/**
 * Limits of a query in the source's engine, which the connector passes to it. Live and materialized tables have none: they
 * set the `signal` only, which aborts when the query or sync stops. The queries of `register` have `maxScannedBytes`, if
 * their caller sets it.
 */
export interface SourceQueryLimits extends QueryLimits {
  /**
   * Maximum number of bytes that the engine may read or bill, such as `maximumBytesBilled` of BigQuery; a query that needs
   * more fails. An engine without such a limit ignores it. Default: no limit.
   */
  readonly maxScannedBytes?: number;
}

/** How a source runs a query. */
export interface SourceQueryOptions {
  /**
   * The values of named parameters. The SQL names them in its own dialect: `@name` in BigQuery, `$name` in DuckDB. A
   * connector passes them to the engine and never inserts them into the SQL as text. Queries of tables have none; those of
   * `register` have `keys`, an array, if their caller selects keys. Default: none.
   */
  readonly parameters?: Readonly<Record<string, QueryParameter>>;
  /** Default: no limits. */
  readonly limits?: SourceQueryLimits;
  /**
   * Whether a sync publishes the whole result as a materialized table. A source may have other limits for it than for the
   * query of a user. Default: `false`.
   */
  readonly isMaterialized?: boolean;
  /**
   * The caller on whose behalf the query runs, for limits and labels per user: the `principal` of the query, with `agnes serve`
   * the id of its token. It is no secret, and does not decide what the query may read. Not set without a `principal`, and in a
   * sync.
   */
  readonly user?: string;
  /** Aborts when the query must stop. */
  readonly signal: AbortSignal;
  /** Receives the jobs of the query, as in `ReadOptions.onJob`. */
  readonly onJob?: (job: SourceJob) => void;
}
