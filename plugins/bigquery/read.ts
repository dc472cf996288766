import {
  createRowBuilder,
  type Batch,
  type ReadOptions,
  type ReadResult,
  type Row,
  type TableInfo,
} from "agnes/kit";

import { partitionColumnOf, requiresFilter } from "./describe.ts";
import { errors } from "./errors.ts";
import { tablePathOf } from "./names.ts";
import { timePartitioningOf, wholeCondition } from "./partitions.ts";
import { isReadByPartition, readPartitions } from "./read-partitions.ts";
import { readShards } from "./read-shards.ts";
import type { BigQueryTable } from "./schemas.ts";
import { selectOf, type Select } from "./select.ts";
import { shardPrefixOf } from "./shards.ts";
import type { Source } from "./source.ts";
import { resultRows } from "./storage/result.ts";
import { schemaOfColumns, tableRows } from "./storage/table.ts";
import { schemaOf } from "./types.ts";

/** Reads a table by a read session if it is large, otherwise by one query job in the location of the table. */
export async function* readTable(
  source: Source,
  info: TableInfo,
  options: ReadOptions,
): AsyncGenerator<Batch, ReadResult | void> {
  const { columns, filter, limit, cursor, bucket, batchRows, user, signal, onProgress, onJob } = options;
  const { project, maxBytesPerQuery } = source.settings;
  const path = tablePathOf(info.name, project, bucket);
  if (path !== null && shardPrefixOf(path) !== null) return yield* readShards(source, path, info, options);
  const table = path === null ? null : await source.datasets.get(path, signal);
  if (path === null || table === null) throw errors.table_missing({ table: info.name, project });
  const schema = schemaOf(table.schema.fields, info.name);
  const declared = info.schema.fields.length > 0 ? info.schema : schema;
  const wanted = {
    columns: columns ?? declared.fields.map((field) => String(field.name)),
    filter,
    limit,
    cursor,
    name: info.name,
  };
  const location = table.location ?? (await source.datasets.location(path, signal));
  const partitioning = timePartitioningOf(table);
  if (partitioning !== null && isReadByPartition(table, options)) {
    const { name } = info;
    const own = { name, schema: declared, primaryKey: [] };
    const read = {
      path,
      table,
      partitioning,
      location,
      name,
      signal,
      onJob,
      info: own,
      select: wanted,
      schema,
      options,
    };
    const end = yield* readPartitions(source, read);
    if (end !== null) return end;
  }
  const select = withPartitionCondition(table, selectOf(path, schema, wanted), (condition) =>
    selectOf(path, schema, { ...wanted, condition }),
  );
  const job = { ...select, location, user, what: `table ${info.name}`, signal };
  // An account may be allowed to create sessions and no jobs.
  const jobBytes = () =>
    source.jobs.dryRun(job).then(
      ({ scannedBytes }) => scannedBytes,
      () => undefined,
    );
  const request = {
    path,
    table,
    schema,
    columns: wanted.columns,
    select,
    name: info.name,
    jobBytes,
    options,
  };
  if (yield* tableRows(source.storage, request, maxBytesPerQuery)) return endOf(options);
  onProgress?.({ phase: "querying" });
  const result = await source.jobs.run({
    ...job,
    limitBytes: maxBytesPerQuery,
    onProgress,
    onJob,
  });
  onProgress?.({ phase: "reading", totalRows: result.totalRows });
  const types = schemaOfColumns(declared, wanted.columns);
  if (types !== null && (yield* resultRows(source.storage, result, types, info.name, signal)))
    return endOf(options);
  const rows = result.rows(batchRows);
  yield* columns === undefined ? rows : built(rows, { name: info.name, schema: declared }, columns);
  return endOf(options);
}

/** The result of a read of all rows. Without a state the next read has no base to compare with, so it has all rows again. */
function endOf({ byOrigin, isDelta, cursor }: ReadOptions): ReadResult {
  return byOrigin === true && isDelta === true && cursor === undefined ? { isWhole: true } : {};
}

/**
 * Returns the SELECT, with a condition that all rows match if the table requires one on its partitions and there is none.
 * @throws `bigquery/partition_filter_required` for partitions that are not by time
 */
export function withPartitionCondition(
  table: BigQueryTable,
  select: Select,
  selectWith: (condition: { readonly sql: string; readonly column: string }) => Select,
): Select {
  const column = partitionColumnOf(table);
  if (!requiresFilter(table) || column === undefined || select.conditionColumns.has(column)) return select;
  const partitioning = timePartitioningOf(table);
  const { tableReference } = table;
  const name = `${tableReference.datasetId}.${tableReference.tableId}`;
  if (partitioning === null) throw errors.partition_filter_required({ table: name, column });
  return selectWith({ sql: wholeCondition(partitioning), column });
}

/** Builds batches of some columns. In a row object the other columns would be null, also those that are never null. */
async function* built(
  pages: AsyncIterable<readonly Row[]>,
  table: Pick<TableInfo, "name" | "schema">,
  columns: readonly string[],
): AsyncGenerator<Batch, void, void> {
  const builder = createRowBuilder(table, { columns });
  for await (const rows of pages) yield* builder.append(rows);
  yield* builder.finish();
}
