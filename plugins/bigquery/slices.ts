import {
  createRowBuilder,
  withOrigin,
  type Batch,
  type ReadOptions,
  type Row,
  type TableInfo,
} from "agnes/kit";

import { checkBytes } from "./estimate.ts";
import { ORDER_ALIAS, type Select } from "./select.ts";
import type { Source } from "./source.ts";

/** Small slices are read by one job up to this size, because each job bills at least 10 MiB. */
const JOB_BYTES = 256 * 1024 ** 2;

/** A part of a table whose changes are known: a partition or a shard. */
export interface Slice {
  readonly id: string;
  /** When it was last modified, as text that only equals itself. Null: unknown. */
  readonly modified: string | null;
  readonly sizeBytes: number;
}

/** How the slices of a table are read. */
export interface SlicedRead {
  /** The table, with the columns of the rows. */
  readonly info: TableInfo;
  readonly columns: readonly string[];
  readonly location: string | undefined;
  readonly options: ReadOptions;
  /** The SELECT of the rows of some slices, in their order. */
  readonly selectOf: (ids: readonly string[]) => Select;
  /** The slice of a row, by the value of the column `agnes_partition`. */
  readonly idOf: (value: unknown) => string;
  /** Completes a row. Default: as it is. */
  readonly rowOf?: ((row: Row, id: string) => Row) | undefined;
  /** The error for a row of a slice that was not requested. */
  readonly strayRow: (id: string) => Error;
}

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
 * Yields the rows of slices, which are sorted by id; each slice is an origin.
 * @throws the errors of `jobs.run`; `bigquery/scan_too_large` for all slices together
 */
export async function* readSlices(
  { jobs, settings }: Source,
  read: SlicedRead,
  slices: readonly Slice[],
): AsyncGenerator<Batch, void, void> {
  if (slices.length === 0) return;
  const { location, info, options, selectOf } = read;
  const { signal, onProgress, onJob, batchRows } = options;
  const request = { location, what: `table ${info.name}`, signal };
  const all = await jobs.dryRun({ ...selectOf(slices.map(({ id }) => id)), ...request });
  checkBytes(all, settings.maxBytesPerQuery, settings);
  // Without an estimate only one job has a known limit.
  const groups = all.scannedBytes === undefined ? [slices] : grouped(slices);
  let leftBytes = settings.maxBytesPerQuery;
  for (const [number, group] of groups.entries()) {
    const phase = groups.length === 1 ? "querying" : `querying ${number + 1} of ${groups.length}`;
    onProgress?.({ phase });
    const ids = group.map(({ id }) => id);
    const result = await jobs.run({
      ...selectOf(ids),
      ...request,
      limitBytes: leftBytes,
      onProgress: () => onProgress?.({ phase }),
      onJob,
    });
    leftBytes -= result.billedBytes ?? leftBytes;
    yield* withOrigins(result.rows(batchRows), read, ids);
  }
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

/** Groups consecutive slices, so that each job reads many small ones or one large one. */
function grouped(slices: readonly Slice[]): readonly (readonly Slice[])[] {
  const groups: Slice[][] = [];
  let sizeBytes = Number.POSITIVE_INFINITY;
  for (const slice of slices) {
    if (sizeBytes + slice.sizeBytes > JOB_BYTES) {
      groups.push([]);
      sizeBytes = 0;
    }
    groups.at(-1)!.push(slice);
    sizeBytes += slice.sizeBytes;
  }
  return groups;
}
