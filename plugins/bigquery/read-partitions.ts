import type { Batch, JsonValue, ReadOptions, ReadResult, TableInfo } from "agnes/kit";
import * as v from "valibot";

import { errors } from "./errors.ts";
import { listPartitions, type ListRequest } from "./partition-list.ts";
import { partitionCondition, partitionOf, timePartitioningOf } from "./partitions.ts";
import type { BigQueryTable } from "./schemas.ts";
import { selectOf, type SelectOptions } from "./select.ts";
import { changedSlices, readSlices } from "./slices.ts";
import type { Source } from "./source.ts";
import { schemaOfColumns } from "./storage/table.ts";

const stateSchema = v.object({
  /** The partitioning by which the ids are named. */
  by: v.string(),
  /** When the table was last modified, in milliseconds since 1970; null if a partition must be read again. */
  modifiedMs: v.nullable(v.number()),
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
  const { table, partitioning, options, name, info, select, schema, path, location } = read;
  const by = `${partitioning.column} ${partitioning.unit}`;
  const modifiedMs = table.lastModifiedTime!;
  const before = stateOf(options.state, by);
  if (before?.modifiedMs === modifiedMs) return { unchanged: true };
  const list = await listPartitions(source, read);
  if (list === null) return null;
  const { changed, kept } = changedSlices(list.partitions, before?.partitions);
  const sliced = { info, columns: select.columns, location, options };
  const { at: snapshot } = list;
  const selectSome = (ids: readonly string[]) =>
    selectOf(path, schema, {
      ...select,
      condition: { sql: partitionCondition(ids, partitioning), column: partitioning.column },
      snapshot,
      slice: { column: partitioning.column, isOrdered: true },
    });
  const columns = schemaOfColumns(info.schema, select.columns);
  yield* readSlices(
    source,
    {
      ...sliced,
      selectOf: selectSome,
      sessionOf({ id }) {
        const { restriction } = selectSome([id]);
        return columns === null || restriction === null
          ? null
          : { path, schema: columns, restriction, snapshot };
      },
      idOf: (value) => partitionOf(value, partitioning),
      strayRow: (id) => errors.partitions_unknown({ table: name, reason: `a row is in partition ${id}` }),
    },
    changed,
  );
  const atMicros = BigInt(Date.parse(list.at)) * 1000n;
  const partitions = Object.fromEntries(
    list.partitions.map(({ id, modified }) => {
      // One that changed after the time of the read must be read again.
      const micros = modified === null ? null : microsOf(modified);
      if (micros === undefined) throw errors.partitions_unknown({ table: name, reason: "a time is invalid" });
      return [id, micros === null || micros > atMicros ? null : modified];
    }),
  );
  const isCurrent = Object.values(partitions).every((modified) => modified !== null);
  const state: State = { by, modifiedMs: isCurrent ? modifiedMs : null, partitions };
  return { kept, state };
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
