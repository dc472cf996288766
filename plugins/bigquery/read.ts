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
import { tablePathOf, type TablePath } from "./names.ts";
import type { BigQueryTable } from "./schemas.ts";
import { selectOf } from "./select.ts";
import type { Source } from "./source.ts";
import { tableRows } from "./storage/table.ts";
import { schemaOf } from "./types.ts";

/** A table to read. */
interface Found {
  readonly path: TablePath;
  readonly table: BigQueryTable;
  readonly columns: readonly string[];
}

/** Reads a table by sessions of the Storage Read API if it is large, otherwise by one query job in its location. */
export async function* readTable(
  source: Source,
  info: TableInfo,
  options: ReadOptions,
): AsyncGenerator<Batch, ReadResult | void> {
  const { bucket, signal } = options;
  const { project } = source.settings;
  const path = tablePathOf(info.name, project, bucket);
  const table = path === null ? null : await source.datasets.get(path, signal);
  if (path === null || table === null) throw errors.table_missing({ table: info.name, project });
  const schema = schemaOf(table.schema.fields, info.name);
  const declared = info.schema.fields.length > 0 ? info.schema : schema;
  const columns = options.columns ?? declared.fields.map(({ name }) => String(name));
  const select = selectOf(path, schema, { ...options, columns, name: info.name });
  const partition = partitionColumnOf(table);
  if (requiresFilter(table) && partition !== undefined && !select.conditionColumns.has(partition))
    throw errors.partition_filter_required({ table: info.name, column: partition });
  const request = { path, table, schema, columns, info, options };
  const isRead = yield* tableRows(source.storage, request, source.settings.maxBytesPerQuery);
  if (!isRead) yield* byJob(source, { path, table, columns }, { ...info, schema: declared }, options, select);
}

/** Reads a table by a query job. */
async function* byJob(
  source: Source,
  { path, table, columns }: Found,
  info: Pick<TableInfo, "name" | "schema">,
  options: ReadOptions,
  select: ReturnType<typeof selectOf>,
): AsyncGenerator<Batch, void> {
  const { batchRows, signal, onProgress } = options;
  onProgress?.({ phase: "querying" });
  const result = await source.jobs.run({
    ...select,
    location: table.location ?? (await source.datasets.location(path, signal)),
    limitBytes: source.settings.maxBytesPerQuery,
    what: `table ${info.name}`,
    signal,
    onProgress,
  });
  onProgress?.({ phase: "reading", totalRows: result.totalRows });
  const rows = result.rows(batchRows);
  yield* options.columns === undefined ? rows : built(rows, info, columns);
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
