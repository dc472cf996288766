import { Schema } from "apache-arrow";

import { AgnesError, copyRow, type Host } from "../../base/mod.ts";
import { openDatabase, quoteIdentifier, type DuckDBLimits } from "../../duckdb/mod.ts";
import {
  isDeletions,
  isFileChunk,
  isRows,
  table,
  toSchema,
  toSelectSql,
  utf8,
  type AnyConnector,
  type Batch,
  type Deletions,
  type FileChunk,
  type Row,
  type TableInfo,
} from "../../kit/mod.ts";
import { extractionSettings, type TableRecord } from "../../tables/mod.ts";
import { checkColumns } from "../check-columns.ts";
import { resultBatches } from "../read/result-batches.ts";
import { batchProblem } from "../read/batch-problem.ts";
import { inferColumns } from "../read/infer-columns.ts";
import { inspectChunk } from "../read/inspect-chunk.ts";
import { registeredTable } from "../registered-table.ts";

interface Services {
  readonly host: Host;
  readonly limits: DuckDBLimits;
}

/** The maximum number of row objects from which columns are inferred. */
const SAMPLE_ROWS_MAX = 8192;

/**
 * Describes a table of a source that cannot list its tables: the registration, with the columns of the first rows of its
 * connector or of a query result without rows. If columns are registered, only these and those of the key and cursor.
 *
 * @throws `table_plan_invalid` if the columns are unknown or a registered one is missing
 */
export async function describeUnlisted(
  services: Services,
  connector: AnyConnector,
  record: TableRecord,
  signal: AbortSignal,
): Promise<TableInfo> {
  const registered = registeredTable(record);
  const info =
    record.bucket === null
      ? registered
      : table(registered.name, registered.schema, {
          ...registered,
          remotePath: [record.bucket, registered.name],
        });
  const { primaryKey, cursor } = info;
  const named =
    record.columns === null
      ? null
      : [...new Set([...record.columns, ...primaryKey, ...(cursor === undefined ? [] : [cursor])])];
  const found =
    connector.read === undefined
      ? await columnsOfResult(connector, info, named, signal)
      : await columnsOfRead(
          services,
          connector,
          { id: record.id, info, named, bucket: record.bucket },
          signal,
        );
  const described = { ...info, schema: found.fields.length === 0 ? registeredColumns(record, named) : found };
  checkColumns(extractionSettings(record, described, services.host.now()), described.schema);
  if (named === null) return described;
  return {
    ...described,
    schema: new Schema(described.schema.fields.filter(({ name }) => named.includes(name))),
  };
}

function registeredColumns({ id, name }: TableRecord, named: readonly string[] | null): Schema {
  if (named !== null) return toSchema(Object.fromEntries(named.map((column) => [column, utf8()])));
  throw new AgnesError("table_plan_invalid", {
    id,
    table: name,
    option: "--columns COLUMNS",
    reason:
      "its plugin has no discover, so its columns are inferred from its first rows, but it has none; " +
      "query it when it has rows, or register it with its columns",
  });
}

/** Returns the columns of a query result without reading its rows. */
async function columnsOfResult(
  connector: AnyConnector,
  info: TableInfo,
  named: readonly string[] | null,
  signal: AbortSignal,
): Promise<Schema> {
  const path = info.remotePath ?? [info.name];
  const wanted = { columns: named ?? [], filter: [], limit: 1 };
  const sql =
    named === null
      ? `SELECT * FROM ${path.map(quoteIdentifier).join(".")} WHERE 1 = 0`
      : (connector.selectSql?.(info, wanted) ?? toSelectSql(path, wanted));
  const result = await connector.query!(sql, { signal });
  await resultBatches(result, { signal })[Symbol.asyncIterator]().return?.();
  return result.schema;
}

/** Returns the columns of the first batch of a read: of an Arrow batch or a file, or of the first row objects. */
async function columnsOfRead(
  services: Services,
  connector: AnyConnector,
  request: {
    readonly id: string;
    readonly info: TableInfo;
    readonly named: readonly string[] | null;
    readonly bucket: string | null;
  },
  signal: AbortSignal,
): Promise<Schema> {
  const { id, info, named, bucket } = request;
  const rows: Row[] = [];
  const batches = connector.read!(info, {
    batchRows: SAMPLE_ROWS_MAX,
    limit: SAMPLE_ROWS_MAX,
    signal,
    ...(named === null ? {} : { columns: named }),
    ...(bucket === null ? {} : { bucket }),
  });
  for await (const batch of checkedBatches(batches, info.name)) {
    if (isDeletions(batch)) throw new AgnesError("deletions_in_live_read", { id, table: info.name });
    if (isRows(batch)) for (const row of batch) rows.push(copyRow(row));
    else if (rows.length > 0) break;
    else if (!isFileChunk(batch)) return batch.schema;
    else {
      const schema = await columnsOfFile(services, batch, signal);
      // An empty file has no columns.
      if (schema.fields.length > 0) return schema;
    }
    if (rows.length >= SAMPLE_ROWS_MAX) break;
  }
  return inferColumns(rows, new Map());
}

/** Checks each value that a connector yields. @throws `batch_invalid` with the reason */
export async function* checkedBatches(
  batches: AsyncIterable<Batch | Deletions>,
  table: string,
): AsyncGenerator<Batch | Deletions, void, void> {
  let number = 0;
  for await (const batch of batches) {
    number += 1;
    const reason = batchProblem(batch);
    if (reason !== undefined) throw new AgnesError("batch_invalid", { table, batch: number, reason });
    yield batch;
  }
}

async function columnsOfFile(services: Services, chunk: FileChunk, signal: AbortSignal): Promise<Schema> {
  const directory = await services.host.files.makeTemporaryDirectory("agnes-live-");
  try {
    await using database = await openDatabase({ files: services.host.files, limits: services.limits });
    await using connection = await database.connect();
    const { found } = await inspectChunk(services.host, chunk, { connection, directory, signal });
    return found;
  } finally {
    await services.host.files.removeDirectory(directory);
  }
}
