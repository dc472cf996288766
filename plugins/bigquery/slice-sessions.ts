import type { arrow } from "agnes/kit";

import type { Budget } from "./budget.ts";
import type { Slice, SlicedRead } from "./slice.ts";
import type { Source } from "./source.ts";
import { STREAMS_MAX } from "./storage/reads.ts";
import { LARGE_BYTES } from "./storage/table.ts";

/** Returns whether a slice is read by a session, as far as it is known. */
export const hasSession =
  ({ storage }: Source, { sessionOf }: SlicedRead) =>
  (slice: Slice): boolean =>
    storage.isUsed && slice.sizeBytes >= LARGE_BYTES && sessionOf(slice) !== null;

/**
 * Yields the rows of one slice by a read session. Returns false, before it yields any row, if a job must read them.
 * @throws the errors of `jobs.dryRun` and `StorageReads`
 */
export async function* sliceRows(
  { jobs, storage }: Source,
  read: SlicedRead,
  slice: Slice,
  budget: Budget,
): AsyncGenerator<arrow.RecordBatch, boolean, void> {
  const { info, location, options, selectOf, sessionOf, batchOf = (batch) => batch } = read;
  const { signal, onJob } = options;
  const session = sessionOf(slice);
  if (session === null) return false;
  const what = `table ${info.name}`;
  const { scannedBytes: jobBytes } = await jobs.dryRun({ ...selectOf([slice.id]), location, what, signal });
  if (jobBytes === undefined) return false;
  const limitBytes = budget.besides(jobBytes);
  if (limitBytes < jobBytes) return false;
  const rows = await storage.open(
    { ...session, limitBytes, jobBytes: Promise.resolve(jobBytes), streamsMax: STREAMS_MAX, what, onJob },
    signal,
  );
  if (rows === null) return false;
  const batches = rows.batches();
  try {
    for (let next = await batches.next(); ; next = await batches.next()) {
      if (next.done === true) {
        if (next.value) budget.spend(rows.scannedBytes(), jobBytes);
        return next.value;
      }
      yield batchOf(next.value, slice.id);
    }
  } finally {
    await batches.return(false);
  }
}
