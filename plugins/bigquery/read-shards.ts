import { createRowBuilder, type Batch, type ReadOptions, type ReadResult, type TableInfo } from "agnes/kit";
import * as v from "valibot";

import { Budget } from "./budget.ts";
import { errors } from "./errors.ts";
import { checkBytes } from "./estimate.ts";
import type { TablePath } from "./names.ts";
import type { BigQueryTable } from "./schemas.ts";
import { ORDER_ALIAS, selectOf, type SelectOptions } from "./select.ts";
import { shardSessions } from "./shard-sessions.ts";
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
import type { Slice, SlicedRead } from "./slice.ts";
import { hasSession, sliceRows } from "./slice-sessions.ts";
import { changedSlices, readSlices } from "./slices.ts";
import type { Source } from "./source.ts";
import { schemaOf } from "./types.ts";

const stateSchema = v.object({
  /** The ids of the shards read, and when they were last modified. */
  shards: v.record(v.string(), v.nullable(v.string())),
});

/** A read of the shards of a group. */
interface ShardsRequest {
  /** The group. */
  readonly path: TablePath;
  readonly info: TableInfo;
  readonly options: ReadOptions;
  readonly shards: readonly BigQueryTable[];
  readonly location: string | undefined;
}

/**
 * Reads the shards of a group, or those that changed since the last read: large ones by a session each, the others by
 * queries.
 */
export async function* readShards(
  source: Source,
  path: TablePath,
  info: TableInfo,
  options: ReadOptions,
): AsyncGenerator<Batch, ReadResult | void> {
  const { limit, cursor, signal, state } = options;
  const shards = await source.datasets.shards(path, signal);
  if (shards.length === 0) throw errors.table_missing({ table: info.name, project: path.project });
  const location = shards[0]!.location ?? (await source.datasets.location(path, signal));
  const { read, hasDate, rowLimit } = slicedRead({ path, info, options, shards, location });
  const slices = wantedShards(shards, hasDate, options).map(sliceOf);
  if (options.byOrigin === true && cursor === undefined && limit === undefined) {
    const before = v.safeParse(stateSchema, state);
    const { changed, kept } = changedSlices(slices, before.success ? before.output.shards : undefined);
    yield* readSlices(source, read, changed);
    return { kept, state: { shards: Object.fromEntries(slices.map(({ id, modified }) => [id, modified])) } };
  }
  if (slices.length > 0) yield* readAll(source, read, slices, rowLimit);
}

const idOf = ({ tableReference }: BigQueryTable): string => shardIdOf({ table: tableReference.tableId });

const sliceOf = (shard: BigQueryTable): Slice => ({
  id: idOf(shard),
  // Rows that are streamed do not change the time.
  modified: shard.streamingBuffer === undefined ? (shard.lastModifiedTime?.toString() ?? null) : null,
  sizeBytes: shard.numBytes ?? Number.POSITIVE_INFINITY,
});

/** How the shards are read, whether they have a column `shard_date` of their own, and the limit of rows to apply. */
function slicedRead({ path, info, options, shards, location }: ShardsRequest): {
  readonly read: SlicedRead;
  readonly hasDate: boolean;
  readonly rowLimit: number | undefined;
} {
  const { filter = [], cursor } = options;
  const { name } = info;
  const { fields } = shardFields(shards, name);
  const hasDate = fields.some((field) => field.name.toLowerCase() === SHARD_COLUMN);
  const isDate = (column: string) => !hasDate && column === SHARD_COLUMN;
  const declared = info.schema.fields.length > 0 ? info.schema : shardSchema(fields, name);
  const columns = options.columns ?? declared.fields.map((field) => String(field.name));
  const schema = schemaOf(fields, name);
  const select: SelectOptions = {
    columns: columns.filter((column) => !isDate(column)),
    filter: filter.filter(({ column }) => !isDate(column)),
    cursor: cursor === undefined || isDate(cursor.column) ? undefined : cursor,
    name,
  };
  // A limit counts only rows that match the whole filter, and a condition on the date only selects shards.
  const rowLimit = filter.some(({ column }) => isDate(column)) ? undefined : options.limit;
  const read: SlicedRead = {
    info: { name, schema: declared, primaryKey: [] },
    columns,
    location,
    options,
    selectOf: (ids) =>
      selectOf({ ...path, table: wildcardOf(path) }, schema, {
        ...select,
        limit: rowLimit,
        condition: { sql: suffixCondition(ids), column: SHARD_SUFFIX },
        slice: { column: SHARD_SUFFIX, isOrdered: options.byOrigin === true },
      }),
    idOf: (value) => `2${String(value as string)}`,
    rowOf(row, id) {
      const { [ORDER_ALIAS]: _, ...own } = row;
      return columns.some(isDate) ? { ...own, [SHARD_COLUMN]: shardDateOf(id) } : own;
    },
    ...shardSessions({
      shards: new Map(shards.map((shard) => [idOf(shard), shard])),
      schema: declared,
      columns,
      hasDate,
      restriction: selectOf(path, schema, select).restriction,
    }),
    strayRow: (id) => errors.table_invalid({ table: name, reason: `a row is in shard ${id}` }),
  };
  return { read, hasDate, rowLimit };
}

/** Reads shards that are no origins: large ones by sessions, until there are enough rows, and the others by one query. */
async function* readAll(
  source: Source,
  read: SlicedRead,
  slices: readonly Slice[],
  rowLimit: number | undefined,
): AsyncGenerator<Batch, void, void> {
  const { jobs, settings } = source;
  const { info, location, options, selectOf: selectSome } = read;
  const { signal } = options;
  const request = { location, what: `table ${info.name}`, signal };
  const all = selectSome(slices.map(({ id }) => id));
  const large = slices.filter(hasSession(source, read));
  let rest = slices;
  let limitBytes = settings.maxBytesPerQuery;
  if (large.length > 0) {
    const dryRun = await jobs.dryRun({ ...all, ...request });
    checkBytes(dryRun, limitBytes, settings);
    // Without an estimate only one job has a known limit.
    if (dryRun.scannedBytes !== undefined) {
      const budget = new Budget(limitBytes, dryRun.scannedBytes);
      const neededRows = (all.isWhole ? rowLimit : undefined) ?? Number.POSITIVE_INFINITY;
      const done = yield* largeRows(source, read, { large, neededRows, budget });
      if (done === null) return;
      rest = slices.filter((slice) => !done.has(slice));
      limitBytes = budget.leftBytes;
    }
  }
  if (rest.length === 0) return;
  yield* jobRows(source, read, selectSome(rest.map(({ id }) => id)), limitBytes);
}

/** Yields the rows of shards by sessions. Returns the shards that were read; null if no further row is needed. */
async function* largeRows(
  source: Source,
  read: SlicedRead,
  request: { readonly large: readonly Slice[]; readonly neededRows: number; readonly budget: Budget },
): AsyncGenerator<Batch, ReadonlySet<Slice> | null, void> {
  const { large, neededRows, budget } = request;
  const done = new Set<Slice>();
  let count = 0;
  for (const slice of large) {
    read.options.onProgress?.({ phase: "reading" });
    const batches = sliceRows(source, read, slice, budget);
    try {
      let next = await batches.next();
      for (; next.done !== true; next = await batches.next()) {
        yield next.value;
        count += next.value.numRows;
        if (count >= neededRows) return null;
      }
      if (next.value) done.add(slice);
    } finally {
      await batches.return(false);
    }
  }
  return done;
}

/** Yields the rows of some shards by one query. */
async function* jobRows(
  { jobs }: Source,
  read: SlicedRead,
  select: ReturnType<SlicedRead["selectOf"]>,
  limitBytes: number,
): AsyncGenerator<Batch, void, void> {
  const { info, columns, location, options, idOf: idOfRow, rowOf } = read;
  const { batchRows, user, signal, onProgress, onJob } = options;
  onProgress?.({ phase: "querying" });
  const what = `table ${info.name}`;
  const result = await jobs.run({ ...select, location, limitBytes, user, what, signal, onProgress, onJob });
  onProgress?.({ phase: "reading", totalRows: result.totalRows });
  const builder = createRowBuilder(info, { columns, batchRows });
  for await (const rows of result.rows(batchRows)) {
    const completed = rows.map((row) => rowOf!(row, idOfRow(row[ORDER_ALIAS])));
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
