import {
  createRowBuilder,
  withOrigin,
  type Batch,
  type JsonValue,
  type ReadOptions,
  type ReadResult,
  type Row,
  type TableInfo,
} from "agnes/kit";
import * as v from "valibot";

import { checkBytes } from "./estimate.ts";
import { errors } from "./errors.ts";
import { listPartitions, type ListRequest, type Partition } from "./partition-list.ts";
import { partitionCondition, partitionOf, timePartitioningOf, type TimePartitioning } from "./partitions.ts";
import type { BigQueryTable } from "./schemas.ts";
import { ORDER_ALIAS, selectOf, type Select, type SelectOptions } from "./select.ts";
import type { Source } from "./source.ts";

/** Small partitions are read by one job up to this size, because each job bills at least 10 MiB. */
const JOB_BYTES = 256 * 1024 ** 2;

const stateSchema = v.object({
  /** The partitioning by which the ids are named. */
  by: v.string(),
  /** When the table was last modified, in milliseconds since 1970. */
  modifiedMs: v.number(),
  /** The ids and times of the partitions read. */
  partitions: v.record(v.string(), v.nullable(v.string())),
});
type State = v.InferOutput<typeof stateSchema>;

/** A table to read by partition. */
export interface PartitionedRead extends ListRequest {
  readonly info: TableInfo;
  readonly select: SelectOptions;
  readonly schema: Parameters<typeof selectOf>[1];
  readonly options: ReadOptions;
}

/**
 * Whether a table is read by partition: the runtime keeps the partitions that did not change, and it is known which did. Rows
 * in a streaming buffer are in no partition yet.
 */
export function isReadByPartition(table: BigQueryTable, { byOrigin, cursor, limit }: ReadOptions): boolean {
  return (
    byOrigin === true &&
    cursor === undefined &&
    limit === undefined &&
    table.type === "TABLE" &&
    table.lastModifiedTime !== undefined &&
    table.streamingBuffer === undefined &&
    timePartitioningOf(table) !== null
  );
}

/**
 * Reads the partitions that changed since the last read, all as they were at one time.
 * @returns the result of the read; null if the rows of some partitions cannot be selected, and nothing was read
 * @throws `bigquery/partitions_unknown`, the errors of `jobs.run`
 */
export async function* readPartitions(
  source: Source,
  read: PartitionedRead,
): AsyncGenerator<Batch, ReadResult | null> {
  const { table, partitioning, options, name } = read;
  const by = `${partitioning.column} ${partitioning.unit}`;
  const modifiedMs = table.lastModifiedTime!;
  const before = stateOf(options.state, by);
  if (before?.modifiedMs === modifiedMs) return { unchanged: true };
  const list = await listPartitions(source, read);
  if (list === null) return null;
  const isKept = ({ id, modified }: Partition) =>
    modified !== null && before !== null && before.partitions[id] === modified;
  const changed = list.partitions.filter((one) => !isKept(one));
  yield* readChanged(source, read, { changed, at: list.at });
  const atMicros = BigInt(Date.parse(list.at)) * 1000n;
  const state: State = {
    by,
    modifiedMs,
    partitions: Object.fromEntries(
      list.partitions.map(({ id, modified }) => {
        // One that changed after the time of the read must be read again.
        const micros = modified === null ? null : microsOf(modified);
        if (micros === undefined)
          throw errors.partitions_unknown({ table: name, reason: "a time is invalid" });
        return [id, micros === null || micros > atMicros ? null : modified];
      }),
    ),
  };
  return { kept: list.partitions.filter(isKept).map(({ id }) => id), state };
}

function stateOf(state: JsonValue | undefined, by: string): State | null {
  const found = v.safeParse(stateSchema, state);
  return found.success && found.output.by === by ? found.output : null;
}

function microsOf(time: string): bigint | undefined {
  const [, seconds, fraction = ""] = /^(.+?)(?:\.(\d{1,6}))?Z$/.exec(time) ?? [];
  const ms = Date.parse(`${seconds}Z`);
  return Number.isNaN(ms) ? undefined : BigInt(ms) * 1000n + BigInt(fraction.padEnd(6, "0"));
}

async function* readChanged(
  { jobs, settings }: Source,
  { partitioning, options, schema, select, path, location, name, info }: PartitionedRead,
  { changed, at }: { readonly changed: readonly Partition[]; readonly at: string },
): AsyncGenerator<Batch, void, void> {
  if (changed.length === 0) return;
  const { signal, onProgress, batchRows } = options;
  const sqlOf = (ids: readonly string[]): Select =>
    selectOf(path, schema, {
      ...select,
      condition: { sql: partitionCondition(ids, partitioning), column: partitioning.column },
      snapshot: at,
      order: partitioning.column,
    });
  const request = { location, what: `table ${name}`, signal };
  const all = await jobs.dryRun({ ...sqlOf(changed.map(({ id }) => id)), ...request });
  checkBytes(all, settings.maxBytesPerQuery);
  const groups = grouped(changed);
  let leftBytes = settings.maxBytesPerQuery;
  for (const [number, group] of groups.entries()) {
    const phase = groups.length === 1 ? "querying" : `querying ${number + 1} of ${groups.length}`;
    onProgress?.({ phase });
    const result = await jobs.run({
      ...sqlOf(group.map(({ id }) => id)),
      ...request,
      limitBytes: leftBytes,
      onProgress: () => onProgress?.({ phase }),
    });
    leftBytes -= result.billedBytes ?? 0;
    let builder = createRowBuilder(info, { columns: select.columns, batchRows });
    let current = group[0]!.id;
    const finished = (id: string) => builder.finish().map((batch) => withOrigin(batch, id));
    const known = new Set(group.map(({ id }) => id));
    for await (const rows of result.rows(batchRows)) {
      for (const { id, run } of runsOf(rows, partitioning)) {
        if (id !== current) {
          if (!known.has(id) || id < current)
            throw errors.partitions_unknown({ table: name, reason: `a row is in partition ${id}` });
          yield* finished(current);
          builder = createRowBuilder(info, { columns: select.columns, batchRows });
          current = id;
        }
        yield* builder.append(run).map((batch) => withOrigin(batch, id));
      }
    }
    yield* finished(current);
  }
}

/** Splits rows, which are sorted by partition, into those of each partition. */
function* runsOf(
  rows: readonly Row[],
  partitioning: TimePartitioning,
): Generator<{ readonly id: string; readonly run: readonly Row[] }> {
  const idOf = (row: Row | undefined) => row && partitionOf(row[ORDER_ALIAS], partitioning);
  for (let start = 0; start < rows.length;) {
    const id = idOf(rows[start])!;
    let end = start + 1;
    while (end < rows.length && idOf(rows[end]) === id) end += 1;
    yield { id, run: rows.slice(start, end) };
    start = end;
  }
}

/** Groups consecutive partitions, so that each job reads many small ones or one large one. */
function grouped(partitions: readonly Partition[]): readonly (readonly Partition[])[] {
  const groups: Partition[][] = [];
  let sizeBytes = Number.POSITIVE_INFINITY;
  for (const partition of partitions) {
    if (sizeBytes + partition.sizeBytes > JOB_BYTES) {
      groups.push([]);
      sizeBytes = 0;
    }
    groups.at(-1)!.push(partition);
    sizeBytes += partition.sizeBytes;
  }
  return groups;
}
