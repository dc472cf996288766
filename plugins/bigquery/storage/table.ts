import { arrow, type Batch, type ReadOptions } from "agnes/kit";

import type { TablePath } from "../names.ts";
import type { BigQueryTable } from "../schemas.ts";
import type { Select } from "../select.ts";
import { STREAMS_MAX, type StorageReads } from "./reads.ts";

/** A job reads a smaller table in one or two pages, sooner than the client of sessions is loaded. */
export const LARGE_BYTES = 10 * 1024 ** 2;
/** Tables whose rows BigQuery stores. Clones are of type TABLE. */
const STORED = ["TABLE", "SNAPSHOT"];

/** A table to read. */
export interface TableRequest {
  readonly path: TablePath;
  readonly table: BigQueryTable;
  /** The columns of the table now. */
  readonly schema: arrow.Schema;
  readonly columns: readonly string[];
  readonly select: Pick<Select, "restriction" | "isWhole">;
  /** The name of the table, for errors. */
  readonly name: string;
  /** Estimates the bytes that a job would bill. */
  readonly jobBytes: () => Promise<number | undefined>;
  readonly options: Pick<ReadOptions, "limit" | "signal" | "onProgress" | "onJob">;
}

/** Whether a table is large enough for a session. The size of one with a streaming buffer is not known. */
function isLarge({ type, numBytes = 0, streamingBuffer }: BigQueryTable): boolean {
  return STORED.includes(type) && streamingBuffer === undefined && numBytes >= LARGE_BYTES;
}

/**
 * Yields the rows of a large table by a read session. Returns false, before it yields any row, if a job must read it.
 * @throws the errors of `StorageReads`
 */
export async function* tableRows(
  storage: StorageReads,
  request: TableRequest,
  limitBytes: number,
): AsyncGenerator<Batch, boolean> {
  const { path, table, columns, options } = request;
  const { restriction, isWhole } = request.select;
  const schema = schemaOfColumns(request.schema, columns);
  if (!isLarge(table) || schema === null || restriction === null) return false;
  const { limit, signal, onProgress, onJob } = options;
  const rows = await storage.open(
    {
      path,
      schema,
      restriction,
      limitBytes,
      // Without a condition both read the same columns.
      ...(restriction === "" ? {} : { jobBytes: request.jobBytes() }),
      streamsMax: STREAMS_MAX,
      onJob,
      what: `table ${request.name}`,
    },
    signal,
  );
  if (rows === null) return false;
  const { estimatedRows } = rows;
  const isAll = restriction === "" && limit === undefined;
  onProgress?.({
    phase: "reading",
    ...(isAll && estimatedRows !== undefined ? { totalRows: estimatedRows } : {}),
  });
  // A limit counts only rows that match the whole filter.
  const needed = limit === undefined || !isWhole ? Number.POSITIVE_INFINITY : limit;
  return yield* upTo(rows.batches(), needed);
}

/** The schema of some columns, in their order; null if there is no column or one is missing. */
export function schemaOfColumns(schema: arrow.Schema, columns: readonly string[]): arrow.Schema | null {
  const fields = columns.map((column) => schema.fields.find(({ name }) => name === column));
  const isComplete = fields.length > 0 && !fields.includes(undefined);
  return isComplete ? new arrow.Schema(fields as arrow.Field[]) : null;
}

/** Yields batches until there are enough rows. A session has no limit, so it is stopped. */
async function* upTo(
  batches: AsyncGenerator<arrow.RecordBatch, boolean, void>,
  needed: number,
): AsyncGenerator<Batch, boolean> {
  try {
    for (let count = 0; count < needed;) {
      const { done, value } = await batches.next();
      if (done === true) return value;
      count += value.numRows;
      yield value;
    }
    return true;
  } finally {
    await batches.return(true);
  }
}
