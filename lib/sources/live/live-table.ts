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
