import native from "@duckdb/node-bindings";

import type { BatchReader } from "./arrow/from-duckdb.ts";
import type { KeptStatement } from "./kept-statements.ts";
import type { StatementOptions } from "./statement.ts";

/** A result that is being read. */
export interface Reading {
  readonly sql: string;
  readonly options: StatementOptions;
  readonly result: native.Result;
  readonly reader: BatchReader;
  /** Its statement, if that is kept. */
  readonly kept: KeptStatement | undefined;
  readonly onEnd: () => void;
  /** The number of rows and, of a materialized result, of chunks that were read. */
  rows: number;
  chunks: number;
}

/** Adds chunks to a batch, while DuckDB works on the next one. @returns whether it is full; false: there are no more chunks */
export async function fillBatch(reading: Reading): Promise<boolean> {
  const { result, reader, kept } = reading;
  const call = () => native.fetch_chunk(result);
  const fetching = () => (kept === undefined ? call() : kept.timed(call));
  for (let next = fetching(); ;) {
    const chunk = await next;
    const rows = chunk === null ? 0 : native.data_chunk_get_size(chunk);
    if (chunk === null || rows === 0) return false;
    reading.rows += rows;
    const isLast = reader.isFullWith(chunk);
    if (!isLast) next = fetching();
    try {
      reader.add(chunk);
    } catch (error) {
      // Two calls for one result must not run at once.
      if (!isLast) await next.catch(() => {});
      throw error;
    }
    if (isLast) return true;
  }
}
