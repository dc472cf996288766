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
import { answerBatches } from "../read/answer-batches.ts";
import { batchProblem } from "../read/batch-problem.ts";
import { inferColumns } from "../read/infer-columns.ts";
import { inspectChunk } from "../read/inspect-chunk.ts";
import { registeredTable } from "../registered-table.ts";

interface Services {
  readonly host: Host;
  readonly limits: DuckDBLimits;
}

/** How many row objects are looked at to find their columns. */
const ROWS_LOOKED_AT = 8192;

/**
 * A table of a source that cannot list its tables: as it is registered, with the columns of the first rows that its
 * connector gives, or of an answer without rows. Of registered columns only these, and those of the key.
 *
 * @throws `table_plan_invalid` when nothing tells the columns, or a registered one is not among them
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
      ? await columnsOfAnswer(connector, info, named, signal)
      : await columnsOfRead(
          services,
          connector,
          { id: record.id, info, named, bucket: record.bucket },
          signal,
        );
  const described = { ...info, schema: found.fields.length === 0 ? columnsOfNothing(record, named) : found };
  checkColumns(extractionSettings(record, described, services.host.now()), described.schema);
  if (named === null) return described;
  return {
    ...described,
    schema: new Schema(described.schema.fields.filter(({ name }) => named.includes(name))),
  };
}

function columnsOfNothing({ name }: TableRecord, named: readonly string[] | null): Schema {
  if (named !== null) return toSchema(Object.fromEntries(named.map((column) => [column, utf8()])));
  throw new AgnesError("table_plan_invalid", {
    table: name,
    reason:
      "its plugin has no discover, so its columns come with its first rows, and there were none; " +
      "query it when it has rows, or register it with its columns",
  });
}

/** The columns of an answer, none of whose rows are read. */
async function columnsOfAnswer(
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
  const answer = await connector.query!(sql, { signal });
  await answerBatches(answer, { signal })[Symbol.asyncIterator]().return?.();
  return answer.schema;
}

/** The columns of the first batch of a read: those of an Arrow batch or a file, else of the first row objects. */
async function columnsOfRead(
  services: Services,
  connector: AnyConnector,
  asked: {
    readonly id: string;
    readonly info: TableInfo;
    readonly named: readonly string[] | null;
    readonly bucket: string | null;
  },
  signal: AbortSignal,
): Promise<Schema> {
  const { id, info, named, bucket } = asked;
  const rows: Row[] = [];
  const batches = connector.read!(info, {
    batchRows: ROWS_LOOKED_AT,
    limit: ROWS_LOOKED_AT,
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
      // A file without anything in it tells nothing.
      if (schema.fields.length > 0) return schema;
    }
    if (rows.length >= ROWS_LOOKED_AT) break;
  }
  return inferColumns(rows, new Map());
}

/** What a connector yields, or an error that says why it is no batch. @throws `batch_invalid` */
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
    await using database = await openDatabase({ limits: services.limits });
    await using connection = await database.connect();
    const { found } = await inspectChunk(services.host, chunk, { connection, directory, signal });
    return found;
  } finally {
    await services.host.files.removeDirectory(directory);
  }
}
