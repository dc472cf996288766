import type { arrow, Batch } from "agnes/kit";

import { errors } from "../errors.ts";
import type { QueryResult } from "../results.ts";
import type { StorageReads } from "./reads.ts";

/** Smaller results are a few pages of the REST API. */
const LARGE_ROWS = 100_000;

/**
 * Yields the rows of a large result by a read session, in their order, which is free. Returns false, before it yields any row,
 * if they must be read by pages.
 * @param schema the columns of the batches
 * @param what the table or query, for errors
 * @throws `bigquery/result_incomplete`, the errors of `StorageReads`
 */
export async function* resultRows(
  storage: StorageReads,
  { destination, totalRows, job }: QueryResult,
  schema: arrow.Schema,
  what: string,
  signal: AbortSignal,
): AsyncGenerator<Batch, boolean, void> {
  if (destination === undefined || totalRows < LARGE_ROWS) return false;
  // Several streams would lose the order of the rows.
  const request = { path: destination, schema, restriction: "", limitBytes: undefined, streamsMax: 1, what };
  const rows = await storage.open(request, signal);
  if (rows === null) return false;
  let count = 0;
  const batches = rows.batches();
  try {
    for (;;) {
      const { done, value } = await batches.next();
      if (done === true) {
        if (value && count !== totalRows) throw errors.result_incomplete({ job, rows: count, totalRows });
        return value;
      }
      count += value.numRows;
      yield value;
    }
  } finally {
    await batches.return(true);
  }
}
