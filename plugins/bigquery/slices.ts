import { createRowBuilder, withOrigin, type arrow, type Batch, type Row } from "agnes/kit";

import { Budget } from "./budget.ts";
import { checkBytes } from "./estimate.ts";
import { ORDER_ALIAS } from "./select.ts";
import type { Slice, SlicedRead } from "./slice.ts";
import { hasSession, sliceRows } from "./slice-sessions.ts";
import type { Source } from "./source.ts";

/** Small slices are read by one job up to this size, because each job bills at least 10 MiB. */
const JOB_BYTES = 256 * 1024 ** 2;

/** The slices to read and those whose rows are published already. */
export function changedSlices(
  slices: readonly Slice[],
  before: Readonly<Record<string, string | null>> | undefined,
): { readonly changed: readonly Slice[]; readonly kept: readonly string[] } {
  const isKept = ({ id, modified }: Slice) => modified !== null && before?.[id] === modified;
  return {
    changed: slices.filter((one) => !isKept(one)),
    kept: slices.filter(isKept).map(({ id }) => id),
  };
}

/**
 * Yields the rows of slices, which are sorted by id; each slice is an origin. Large ones are read by a session each, and the
 * others by jobs.
 * @throws the errors of `jobs.run` and `StorageReads`; `bigquery/scan_too_large` for all slices together
 */
export async function* readSlices(
  source: Source,
  read: SlicedRead,
  slices: readonly Slice[],
): AsyncGenerator<Batch, void, void> {
  if (slices.length === 0) return;
  const { jobs, settings } = source;
  const { location, info, options, selectOf } = read;
  const { signal, onProgress, onJob, batchRows } = options;
  const request = { location, what: `table ${info.name}`, signal };
  const all = await jobs.dryRun({ ...selectOf(slices.map(({ id }) => id)), ...request });
  checkBytes(all, settings.maxBytesPerQuery, settings);
  const budget = new Budget(settings.maxBytesPerQuery, all.scannedBytes ?? 0);
  // Without an estimate only one job has a known limit.
  const groups = all.scannedBytes === undefined ? [slices] : grouped(slices, hasSession(source, read));
  let done = 0;
  for (const group of groups) {
    const ids = group.map(({ id }) => id);
    const phase = group.length === slices.length ? "querying" : `querying, ${done} of ${slices.length} read`;
    done += group.length;
    onProgress?.({ phase });
    if (all.scannedBytes !== undefined && (yield* sessionRows(source, read, group, budget))) continue;
    const result = await jobs.run({
      ...selectOf(ids),
      ...request,
      limitBytes: budget.leftBytes,
      onProgress: () => onProgress?.({ phase }),
      onJob,
    });
    const billedBytes = result.billedBytes ?? budget.leftBytes;
    budget.spend(billedBytes, billedBytes);
    yield* withOrigins(result.rows(batchRows), read, ids);
  }
}

/** Yields the rows of a group by a session. Returns false, before it yields any row, if a job must read them. */
async function* sessionRows(
  source: Source,
  read: SlicedRead,
  group: readonly Slice[],
  budget: Budget,
): AsyncGenerator<Batch, boolean, void> {
  const [slice, ...others] = group;
  if (others.length > 0 || !hasSession(source, read)(slice!)) return false;
  const { batchOf = (batch) => batch } = read;
  const named = {
    ...read,
    batchOf: (batch: arrow.RecordBatch, id: string) => withOrigin(batchOf(batch, id), id),
  };
  return yield* sliceRows(source, named, slice!, budget);
}

/** Builds the batches of each slice from the rows of several. */
async function* withOrigins(
  pages: AsyncIterable<readonly Row[]>,
  { info, columns, options: { batchRows }, idOf, rowOf, strayRow }: SlicedRead,
  ids: readonly string[],
): AsyncGenerator<Batch, void, void> {
  const known = new Set(ids);
  const start = () => createRowBuilder(info, { columns, batchRows });
  let builder = start();
  let current = ids[0]!;
  const finished = () => builder.finish().map((batch) => withOrigin(batch, current));
  for await (const rows of pages) {
    for (const { id, run } of runsOf(rows, idOf)) {
      if (id !== current) {
        if (!known.has(id) || id < current) throw strayRow(id);
        yield* finished();
        builder = start();
        current = id;
      }
      const completed = rowOf === undefined ? run : run.map((row) => rowOf(row, id));
      yield* builder.append(completed).map((batch) => withOrigin(batch, id));
    }
  }
  yield* finished();
}

/** Splits rows, which are sorted by slice, into those of each slice. */
function* runsOf(
  rows: readonly Row[],
  idOf: SlicedRead["idOf"],
): Generator<{ readonly id: string; readonly run: readonly Row[] }> {
  const of = (row: Row | undefined) => row && idOf(row[ORDER_ALIAS]);
  for (let start = 0; start < rows.length;) {
    const id = of(rows[start])!;
    let end = start + 1;
    while (end < rows.length && of(rows[end]) === id) end += 1;
    yield { id, run: rows.slice(start, end) };
    start = end;
  }
}

/**
 * Groups consecutive slices, so that each job reads many small ones or one large one. A slice that may be read by a session
 * is a group of its own; whether it may is determined when the groups before it are read.
 */
function* grouped(
  slices: readonly Slice[],
  hasOwnSession: (slice: Slice) => boolean,
): Generator<readonly Slice[], void, void> {
  let group: Slice[] = [];
  let sizeBytes = 0;
  for (const slice of slices) {
    const isAlone = hasOwnSession(slice);
    if (group.length > 0 && (isAlone || sizeBytes + slice.sizeBytes > JOB_BYTES)) {
      yield group;
      group = [];
      sizeBytes = 0;
    }
    if (isAlone) yield [slice];
    else {
      group.push(slice);
      sizeBytes += slice.sizeBytes;
    }
  }
  if (group.length > 0) yield group;
}
