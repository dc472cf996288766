import {
  createRowBuilder,
  type Batch,
  type ReadOptions,
  type ReadResult,
  type Row,
  type TableInfo,
} from "agnes/kit";
import * as v from "valibot";

import { errors } from "./errors.ts";
import type { TablePath } from "./names.ts";
import type { BigQueryTable } from "./schemas.ts";
import { ORDER_ALIAS, selectOf } from "./select.ts";
import {
  matchingShards,
  SHARD_COLUMN,
  SHARD_SUFFIX,
  shardDateOf,
  shardFields,
  shardIdOf,
  shardSchema,
  suffixCondition,
  wildcardOf,
} from "./shards.ts";
import { changedSlices, readSlices, type SlicedRead } from "./slices.ts";
import type { Source } from "./source.ts";
import { schemaOf } from "./types.ts";

const stateSchema = v.object({
  /** The ids of the shards read, and when they were last modified. */
  shards: v.record(v.string(), v.nullable(v.string())),
});

/** Reads the shards of a group by one query, or those that changed since the last read. */
export async function* readShards(
  source: Source,
  path: TablePath,
  info: TableInfo,
  options: ReadOptions,
): AsyncGenerator<Batch, ReadResult | void> {
  const { filter = [], limit, cursor, batchRows, signal, onProgress, onJob, state } = options;
  const { name } = info;
  const group = await source.datasets.shards(path, signal);
  if (group.length === 0) throw errors.table_missing({ table: name, project: path.project });
  const { fields } = shardFields(group, name);
  const hasDate = fields.some((field) => field.name.toLowerCase() === SHARD_COLUMN);
  const wanted = wantedShards(group, hasDate, options);
  const declared = info.schema.fields.length > 0 ? info.schema : shardSchema(fields, name);
  const columns = options.columns ?? declared.fields.map((field) => String(field.name));
  const isDate = (column: string) => !hasDate && column === SHARD_COLUMN;
  const schema = schemaOf(fields, name);
  const sliced: SlicedRead = {
    info: { name, schema: declared, primaryKey: [] },
    columns,
    location: group[0]!.location ?? (await source.datasets.location(path, signal)),
    options,
    selectOf: (ids) =>
      selectOf({ ...path, table: wildcardOf(path) }, schema, {
        columns: columns.filter((column) => !isDate(column)),
        filter: filter.filter(({ column }) => !isDate(column)),
        limit,
        cursor: cursor === undefined || isDate(cursor.column) ? undefined : cursor,
        condition: { sql: suffixCondition(ids), column: SHARD_SUFFIX },
        slice: { column: SHARD_SUFFIX, isOrdered: options.byOrigin === true },
        name,
      }),
    idOf: (value) => `2${String(value as string)}`,
    rowOf(row, id) {
      const { [ORDER_ALIAS]: _, ...own } = row;
      return hasDate || !columns.includes(SHARD_COLUMN) ? own : { ...own, [SHARD_COLUMN]: shardDateOf(id) };
    },
    strayRow: (id) => errors.table_invalid({ table: name, reason: `a row is in shard ${id}` }),
  };
  if (options.byOrigin === true && cursor === undefined && limit === undefined) {
    const slices = wanted.map(({ tableReference, lastModifiedTime, streamingBuffer, numBytes }) => ({
      id: shardIdOf({ table: tableReference.tableId }),
      // Rows that are streamed do not change the time.
      modified: streamingBuffer === undefined ? (lastModifiedTime?.toString() ?? null) : null,
      sizeBytes: numBytes ?? Number.POSITIVE_INFINITY,
    }));
    const before = v.safeParse(stateSchema, state);
    const { changed, kept } = changedSlices(slices, before.success ? before.output.shards : undefined);
    yield* readSlices(source, sliced, changed);
    return { kept, state: { shards: Object.fromEntries(slices.map(({ id, modified }) => [id, modified])) } };
  }
  if (wanted.length === 0) return;
  onProgress?.({ phase: "querying" });
  const result = await source.jobs.run({
    ...sliced.selectOf(wanted.map(({ tableReference }) => shardIdOf({ table: tableReference.tableId }))),
    location: sliced.location,
    limitBytes: source.settings.maxBytesPerQuery,
    what: `table ${name}`,
    signal,
    onProgress,
    onJob,
  });
  onProgress?.({ phase: "reading", totalRows: result.totalRows });
  const builder = createRowBuilder(sliced.info, { columns, batchRows });
  for await (const rows of result.rows(batchRows)) {
    const completed = rows.map((row): Row => sliced.rowOf!(row, sliced.idOf(row[ORDER_ALIAS])));
    if (options.columns === undefined) yield completed;
    else yield* builder.append(completed);
  }
  yield* builder.finish();
}

/** The shards with rows that may match the conditions on their date. */
export function wantedShards(
  group: readonly BigQueryTable[],
  hasDate: boolean,
  { filter = [], cursor }: Pick<ReadOptions, "filter" | "cursor">,
): readonly BigQueryTable[] {
  if (hasDate) return group;
  const matching = matchingShards(group, filter);
  if (cursor?.column !== SHARD_COLUMN) return matching;
  const from = cursor.value.slice(0, 10);
  return matching.filter(({ tableReference }) => {
    const date = shardDateOf(shardIdOf({ table: tableReference.tableId }));
    return cursor.inclusive ? date >= from : date > from;
  });
}
