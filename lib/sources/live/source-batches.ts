import type { RecordBatch, Schema } from "apache-arrow";

import { AgnesError, formatValue, redactThrown, type Host, type Log } from "../../base/mod.ts";
import {
  duckdbTypeOf,
  openDatabase,
  openFile,
  quoteIdentifier,
  readingOf,
  spoolBytes,
  type DuckDBLimits,
} from "../../duckdb/mod.ts";
import {
  createRowBuilder,
  isDeletions,
  isFileChunk,
  isRows,
  type Batch,
  type Deletions,
  type FileChunk,
  type TableInfo,
} from "../../kit/mod.ts";
import type { SourceHandle } from "../connect.ts";
import { unknownKeyNote } from "../read/unknown-keys.ts";
import { checkedBatches } from "./describe-unlisted.ts";

/** The rows of a batch. */
export const BATCH_ROWS = 8192;

/** Redacts the secrets of a source in errors of its rows. */
export async function* redactErrors<T>(
  open: () => AsyncIterable<T>,
  handle: Pick<SourceHandle, "secrets">,
): AsyncGenerator<T, void, void> {
  try {
    yield* open();
  } catch (error) {
    throw redactThrown(error, handle.secrets);
  }
}

/** Checks that a result has all selected columns. Rows are read by column name, so a missing column would be null. */
export function checkResult(table: string, selected: readonly string[], schema: Schema): void {
  const present = schema.fields.map(({ name }) => String(name));
  const missing = selected.filter((name) => !present.includes(name));
  if (missing.length === 0) return;
  const names = (list: readonly string[]) => list.map((name) => formatValue(name)).join(", ");
  const differences = [`the result has no column ${names(missing)}; it has ${names(present) || "none"}`];
  throw new AgnesError("batch_schema_mismatch", { table, batch: 1, differences });
}

export interface FileServices {
  readonly host: Host;
  readonly log: Log;
  readonly limits: DuckDBLimits;
}

/** Returns the rows of a read, including those before a failure; at least `limit` of them if there are as many. */
export async function* sourceBatches(
  services: FileServices,
  batches: AsyncIterable<Batch | Deletions>,
  info: TableInfo,
  {
    id,
    columns,
    limit = Infinity,
  }: { readonly id: string; readonly columns: readonly string[]; readonly limit?: number },
  signal: AbortSignal,
): AsyncGenerator<RecordBatch, void, void> {
  const builder = createRowBuilder(info, { columns });
  let rows = 0;
  try {
    for await (const batch of checkedBatches(batches, info.name)) {
      // Rows that were already returned cannot be deleted.
      if (isDeletions(batch)) throw new AgnesError("deletions_in_live_read", { id, table: info.name });
      if (isRows(batch)) {
        rows += batch.length;
        yield* builder.append(batch);
      } else {
        yield* builder.finish();
        const found = isFileChunk(batch)
          ? rowsOfFile(services, batch, info.schema, columns, signal)
          : [batch];
        for await (const one of found) {
          rows += one.numRows;
          yield one;
        }
      }
      if (rows >= limit) break;
    }
    yield* builder.finish();
  } catch (error) {
    // The rows so far may be enough for a query with a LIMIT.
    yield* builder.finish();
    throw error;
  } finally {
    const note = unknownKeyNote(builder.unknownKeys);
    if (note !== null) services.log.warn(`table ${id}: ${note}`);
  }
}

/** Returns the rows of a file chunk, in the declared types of the table. */
async function* rowsOfFile(
  services: FileServices,
  chunk: FileChunk,
  schema: Schema,
  columns: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<RecordBatch, void, void> {
  const directory = await services.host.files.makeTemporaryDirectory("agnes-live-");
  try {
    const spooled = await spoolBytes(services.host, chunk, directory, signal);
    await using database = await openDatabase({ files: services.host.files, limits: services.limits });
    await using connection = await database.connect();
    const types = Object.fromEntries(schema.fields.map((field) => [field.name, duckdbTypeOf(field)]));
    const reading = await readingOf(connection, spooled.chunk, { types, signal });
    if (reading === null) return;
    await using file = await openFile({ ...spooled.chunk, reading }, { connection, directory, signal });
    const present = new Map(file.present.map(({ name }) => [name.toLowerCase(), name]));
    const wanted = columns.map((name) => {
      const column = present.get(name.toLowerCase());
      const value = column === undefined ? "NULL" : quoteIdentifier(column);
      return `CAST(${value} AS ${types[name]!}) AS ${quoteIdentifier(name)}`;
    });
    const sql = `SELECT ${wanted.join(", ")} FROM (${file.select})`;
    const { batches } = await connection.stream(sql, { signal, batchRows: BATCH_ROWS });
    yield* batches;
  } finally {
    await services.host.files.removeDirectory(directory);
  }
}
