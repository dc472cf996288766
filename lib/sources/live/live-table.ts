import type { RecordBatch, Schema } from "apache-arrow";

import type { Filter, SourceJob, SourceQueryOptions, SourceStatement, TableInfo } from "../../kit/mod.ts";

/** A remote table that is read through the connector of its source. */
export interface LiveTable {
  readonly schema: Schema;
  /** The expected number of rows. */
  readonly rows?: number;
  /** Returns the part of a request that the connector handles. DuckDB does the rest, so no requested row is lost. */
  narrow(request: LiveRequest): LiveRequest | Promise<LiveRequest>;
  /** Reads the request that `narrow` returned. Batches contain at least its columns. */
  open(request: LiveRequest, signal: AbortSignal, caller?: LiveCaller): AsyncIterable<RecordBatch>;
  /** How its source runs a whole query of its tables. Missing if it cannot. */
  readonly whole?: WholeQueries;
}

/** For whom a source is read. */
export interface LiveCaller {
  /** See `SourceQueryOptions.user`. */
  readonly user?: string | undefined;
  /** Receives the jobs of the source. Default: they are not reported. */
  readonly onJob?: ((job: SourceJob) => void) | undefined;
}

/** A source that runs whole queries of its tables, with one of these tables. */
export interface WholeQueries {
  readonly table: TableInfo;
  /** Returns a statement in the SQL of the source; null if the source may evaluate it differently from DuckDB. */
  toSql(statement: SourceStatement, signal: AbortSignal): Promise<string | null>;
  /** Runs the SQL. The batches have the columns of the schema; they are read after the promise is resolved. */
  run(
    sql: string,
    schema: Schema,
    signal: AbortSignal,
    caller?: LiveCaller,
  ): Promise<AsyncIterable<RecordBatch>>;
}

/** The part of a live table that a query needs. */
export interface LiveRequest {
  readonly columns: readonly string[];
  /** Conditions, ANDed. */
  readonly filter: readonly Filter[];
  /** The maximum number of rows that match the whole filter. */
  readonly limit?: number;
}

/**
 * Finds the live table of a source; null if its connector can neither read nor query.
 *
 * @throws `table_vanished` if the source lists its tables and does not list this one
 */
export type LiveResolver = (table: {
  readonly source: string;
  readonly name: string;
}) => Promise<LiveTable | null>;

/** Returns the options of a connector for a caller. */
export function callerOptions({ user, onJob }: LiveCaller = {}): Pick<SourceQueryOptions, "user" | "onJob"> {
  return { ...(user === undefined ? {} : { user }), ...(onJob === undefined ? {} : { onJob }) };
}
