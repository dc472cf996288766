import type { RecordBatch, Schema } from "apache-arrow";

import type { Filter } from "../../kit/mod.ts";

/** A remote table that is read through the connector of its source. */
export interface LiveTable {
  readonly schema: Schema;
  /** How many rows are expected. */
  readonly rows?: number;
  /** What of a request the connector is asked; the rest is DuckDB's work. Rows that are wanted are never lost by it. */
  narrow(request: LiveRequest): LiveRequest;
  /** Reads what `narrow` returned. Batches hold at least the columns. */
  open(request: LiveRequest, signal: AbortSignal): AsyncIterable<RecordBatch>;
}

/** What a query wants of a live table. */
export interface LiveRequest {
  readonly columns: readonly string[];
  /** Conditions, ANDed. */
  readonly filter: readonly Filter[];
  /** No more rows are wanted, of those that meet the whole filter. */
  readonly limit?: number;
}

/** Finds the live table of a source; null when its connector cannot be asked. */
export type LiveResolver = (table: {
  readonly source: string;
  readonly name: string;
}) => Promise<LiveTable | null>;

/** What the connector of a live table was asked for; `limit` 0 and no column when only its columns mattered. */
export interface PushedDown {
  /** Empty when only the number of rows was wanted. */
  readonly columns: readonly string[];
  /** Conditions as SQL, without those of `keys`. */
  readonly conditions: readonly string[];
  /** Columns of which only the values of a join key were asked for, and how many values that were. */
  readonly keys: readonly { readonly column: string; readonly values: number }[];
  readonly limit: number | null;
  /** Rows that the connector gave, until now. */
  readonly rows: number;
}
