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
import { selectOf } from "./select.ts";
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
  const { columns, filter, limit, cursor, bucket, batchRows, signal, onProgress } = options;
  const { project, maxBytesPerQuery } = source.settings;
  const path = tablePathOf(info.name, project, bucket);
  const table = path === null ? null : await source.datasets.get(path, signal);
  if (path === null || table === null) throw errors.table_missing({ table: info.name, project });
  const schema = schemaOf(table.schema.fields, info.name);
  const declared = info.schema.fields.length > 0 ? info.schema : schema;
  const wanted = columns ?? declared.fields.map(({ name }) => String(name));
  const select = selectOf(path, schema, {
    columns: wanted,
    filter,
    limit,
    cursor,
    name: info.name,
  });
  const partition = partitionColumnOf(table);
  if (requiresFilter(table) && partition !== undefined && !select.conditionColumns.has(partition))
    throw errors.partition_filter_required({ table: info.name, column: partition });
  const location = table.location ?? (await source.datasets.location(path, signal));
  const job = { ...select, location, what: `table ${info.name}`, signal };
  // An account may be allowed to create sessions and no jobs.
  const jobBytes = () =>
    source.jobs.dryRun(job).then(
      ({ scannedBytes }) => scannedBytes,
      () => undefined,
    );
  const request = { path, table, schema, columns: wanted, select, name: info.name, jobBytes, options };
  if (yield* tableRows(source.storage, request, maxBytesPerQuery)) return;
  onProgress?.({ phase: "querying" });
  const result = await source.jobs.run({
    ...job,
    limitBytes: maxBytesPerQuery,
    onProgress,
  });
  onProgress?.({ phase: "reading", totalRows: result.totalRows });
  const types = schemaOfColumns(declared, wanted);
  if (types !== null && (yield* resultRows(source.storage, result, types, info.name, signal))) return;
  const rows = result.rows(batchRows);
  yield* columns === undefined ? rows : built(rows, { name: info.name, schema: declared }, columns);
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
