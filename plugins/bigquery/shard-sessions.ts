import { arrow } from "agnes/kit";

import type { BigQueryTable } from "./schemas.ts";
import { SHARD_COLUMN, shardDateOf } from "./shards.ts";
import type { SlicedRead } from "./slice.ts";
import { schemaOfColumns } from "./storage/table.ts";

const DAY_MS = 86_400_000;

/** The shards of a group and what is read of them. */
interface ShardSessions {
  /** By id. */
  readonly shards: ReadonlyMap<string, BigQueryTable>;
  /** The columns of the group. */
  readonly schema: arrow.Schema;
  readonly columns: readonly string[];
  /** Whether the shards have a column `shard_date` of their own. */
  readonly hasDate: boolean;
  /** The condition of the rows of each shard; null: it has no literal. */
  readonly restriction: string | null;
}

/** How sessions read shards, each of which is a table. */
export function shardSessions(request: ShardSessions): Pick<SlicedRead, "sessionOf" | "batchOf"> {
  const { shards, schema, columns, hasDate, restriction } = request;
  const all = schemaOfColumns(schema, columns);
  const dateAt = hasDate ? -1 : columns.indexOf(SHARD_COLUMN);
  const own = schemaOfColumns(
    schema,
    columns.filter((_, at) => at !== dateAt),
  );
  const dateType = dateAt < 0 ? null : (all?.fields[dateAt]?.type as arrow.DataType | undefined);
  const isReadable = all !== null && (dateType === null || isDay(dateType));
  return {
    sessionOf({ id }) {
      const { tableReference, schema: present, streamingBuffer } = shards.get(id)!;
      if (own === null || !isReadable || restriction === null || streamingBuffer !== undefined) return null;
      // A job has null for a column that an older shard lacks.
      const names = new Set(present.fields.map(({ name }) => name));
      if (!own.fields.every(({ name }) => names.has(name))) return null;
      const { projectId: project, datasetId: dataset, tableId: table } = tableReference;
      return { path: { project, dataset, table }, schema: own, restriction };
    },
    batchOf(batch, id) {
      if (dateAt < 0) return batch;
      const children = batch.data.children.toSpliced(dateAt, 0, datesOf(id, batch.numRows));
      const type = new arrow.Struct(all!.fields);
      return new arrow.RecordBatch(
        all!,
        arrow.makeData({ type, length: batch.numRows, nullCount: 0, children }),
      );
    },
  };
}

const isDay = (type: arrow.DataType | undefined): boolean =>
  arrow.DataType.isDate(type) && type.unit === arrow.DateUnit.DAY;

/** A column with the date of a shard in each row. */
function datesOf(id: string, length: number): arrow.Data {
  const day = Date.parse(`${shardDateOf(id)}T00:00:00Z`) / DAY_MS;
  const data = new Int32Array(length).fill(day);
  return arrow.makeData({ type: new arrow.DateDay(), length, nullCount: 0, data });
}
