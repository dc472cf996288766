import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { RecordBatch, Schema } from "apache-arrow";

import { AgnesError, type Host } from "../base/mod.ts";
import {
  duckdbTypeOf,
  openDatabase,
  quoteIdentifier,
  openFile,
  readingOf,
  spoolBytes,
  type DuckDBLimits,
  type StreamSource,
} from "../duckdb/mod.ts";
import {
  createRowBuilder,
  isDeletions,
  isFileChunk,
  isRows,
  type FileChunk,
  type TableInfo,
} from "../kit/mod.ts";
import { discoverTables, type SourceHandle } from "../plugins/mod.ts";
import type { LiveResolver } from "../query/mod.ts";
import { sourceTableOf, type TableRegistry } from "../tables/mod.ts";
import { openSource, type SyncServices } from "./source.ts";

/** Reads remote tables through the connectors of their sources, for queries. */
export interface LiveTables extends AsyncDisposable {
  readonly resolve: LiveResolver;
}

/** Connects to a source when one of its tables is first asked for, and keeps the connection until disposed of. */
export function openLiveTables(
  services: Omit<SyncServices, "tables">,
  tables: () => Promise<TableRegistry>,
): LiveTables {
  const opened = new Map<string, Promise<OpenedSource>>();
  const open = (source: string) => {
    const known = opened.get(source);
    if (known !== undefined) return known;
    const opening = openWithTables(services, source);
    opened.set(source, opening);
    // A source that could not be reached may be reached the next time.
    opening.catch(() => opened.delete(source));
    return opening;
  };
  return {
    async resolve({ source, name }) {
      const record = await (await tables()).get(`${source}.${name}`);
      if (record === null || !Object.hasOwn(services.workspace.config.sources, source)) return null;
      const { handle, discovered } = await open(source);
      const info = sourceTableOf(record, discovered);
      if (info === undefined || handle.connector.read === undefined) return null;
      if (info.problem !== undefined) throw info.problem;
      return streamOf(services, handle, info);
    },
    async [Symbol.asyncDispose]() {
      const handles = await Promise.allSettled(opened.values());
      opened.clear();
      for (const one of handles) if (one.status === "fulfilled") await one.value.handle.close();
    },
  };
}

interface OpenedSource {
  readonly handle: SourceHandle;
  readonly discovered: readonly TableInfo[];
}

async function openWithTables(services: Omit<SyncServices, "tables">, source: string): Promise<OpenedSource> {
  const handle = await openSource(services, source);
  try {
    const discovered = handle.connector.discover === undefined ? [] : await discoverTables(handle);
    return { handle, discovered };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

const BATCH_ROWS = 8192;

function streamOf(
  services: { readonly host: Host; readonly limits: DuckDBLimits },
  handle: SourceHandle,
  info: TableInfo,
): StreamSource {
  return {
    schema: info.schema,
    ...(info.estimatedRows === undefined ? {} : { rows: info.estimatedRows }),
    async *open(columns, signal) {
      const builder = createRowBuilder(info, { columns });
      for await (const batch of handle.connector.read!(info, { columns, batchRows: BATCH_ROWS, signal })) {
        // Rows that were given out already cannot be taken back.
        if (isDeletions(batch)) throw new AgnesError("deletions_in_live_read", { table: info.name });
        if (isRows(batch)) {
          yield* builder.append(batch);
        } else {
          yield* builder.finish();
          if (isFileChunk(batch)) yield* rowsOfFile(services, batch, info.schema, columns, signal);
          else yield batch;
        }
      }
      yield* builder.finish();
    },
  };
}

/** The rows of a file chunk, in the types that the table declares. */
async function* rowsOfFile(
  services: { readonly host: Host; readonly limits: DuckDBLimits },
  chunk: FileChunk,
  schema: Schema,
  columns: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<RecordBatch, void, void> {
  const directory = await mkdtemp(join(tmpdir(), "agnes-live-"));
  try {
    const spooled = await spoolBytes(services.host, chunk, directory, signal);
    await using database = await openDatabase({ limits: services.limits });
    await using connection = await database.connect();
    const types = Object.fromEntries(schema.fields.map((field) => [field.name, duckdbTypeOf(field)]));
    const reading = await readingOf(connection, spooled.chunk, { types, signal });
    if (reading === null) return;
    await using file = await openFile({ ...spooled.chunk, reading }, { connection, directory, signal });
    const present = new Set(file.present.map(({ name }) => name));
    const wanted = columns.map((name) => {
      const value = present.has(name) ? quoteIdentifier(name) : "NULL";
      return `CAST(${value} AS ${types[name]!}) AS ${quoteIdentifier(name)}`;
    });
    const sql = `SELECT ${wanted.join(", ")} FROM (${file.select})`;
    const { batches } = await connection.stream(sql, { signal, batchRows: BATCH_ROWS });
    yield* batches;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
