import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import type { Batch, FileChunk, JsonValue, ReadResult, TableInfo } from "agnes/kit";

import { createHost, silentLog } from "../../lib/base/mod.ts";
import { createEngine } from "../../lib/duckdb/mod.ts";
import { createPluginRegistry } from "../../lib/plugins/mod.ts";
import { connectSource, discoverTables, type SourceHandle } from "../../lib/sources/mod.ts";
import files from "../../plugins/files/plugin.ts";

type Published = (table: string) => Promise<JsonValue | undefined>;

/** A folder of files and a connected source over it. */
export interface Folder extends AsyncDisposable {
  readonly path: string;
  write(name: string, content: string | Uint8Array): Promise<string>;
  /** Runs SQL, such as a COPY into the folder; `@` is replaced with its path. */
  sql(statement: string): Promise<void>;
  /** @param published the state of the last read, by table; default: none */
  connect(options?: Record<string, unknown>, published?: Published): Promise<Source>;
}

/** A connected source. */
export interface Source {
  readonly handle: SourceHandle;
  tables(): Promise<ReadonlyMap<string, TableInfo>>;
  read(
    table: TableInfo | undefined,
    state?: JsonValue,
  ): Promise<{ chunks: readonly FileChunk[]; end: ReadResult }>;
  /** All rows of the chunks, as text. */
  rows(table: TableInfo | undefined): Promise<readonly Record<string, unknown>[]>;
}

export async function makeFolder(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), "agnes-files-"));
  const engine = createEngine(createHost(), { memoryMb: 256, threads: 2 });
  return {
    path,
    async write(name, content) {
      const file = join(path, name);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, content);
      return file;
    },
    async sql(statement) {
      const { openDatabase } = await import("../../lib/duckdb/mod.ts");
      await using database = await openDatabase();
      await using connection = await database.connect();
      await connection.run(statement.replaceAll("@", path));
    },
    connect: (options = { path: "." }, published) => connect(path, engine, options, published),
    async [Symbol.asyncDispose]() {
      await engine.close();
      await rm(path, { recursive: true, force: true });
    },
  };
}

async function connect(
  directory: string,
  engine: ReturnType<typeof createEngine>,
  options: Record<string, unknown>,
  published?: Published,
): Promise<Source> {
  const services = {
    host: createHost(),
    log: silentLog,
    engine,
    directory,
    ...(published === undefined ? {} : { published }),
  };
  const handle = await connectSource(services, createPluginRegistry([files]), "exports", {
    plugin: "files",
    options,
  });
  const { signal } = new AbortController();
  const read: Source["read"] = async (table, state) => {
    const readOptions = { batchRows: 8192, signal, ...(state === undefined ? {} : { state }) };
    const batches = handle.connector.read!(table!, readOptions)[Symbol.asyncIterator]();
    const chunks: FileChunk[] = [];
    for (;;) {
      const step = await batches.next();
      if (step.done === true) return { chunks, end: step.value ?? {} };
      chunks.push(step.value as Batch & FileChunk);
    }
  };
  return {
    handle,
    read,
    tables: async () => new Map((await discoverTables(handle)).map((table) => [table.name, table])),
    async rows(table) {
      const { openDatabase, openFile } = await import("../../lib/duckdb/mod.ts");
      await using database = await openDatabase({ settings: { preserve_insertion_order: "true" } });
      await using connection = await database.connect();
      const found: Record<string, unknown>[] = [];
      for (const chunk of (await read(table)).chunks) {
        const readable = { ...chunk, data: chunk.data as string, reading: chunk.reading! };
        await using file = await openFile(readable, { connection });
        found.push(...(await connection.rows(file.select)));
      }
      return found;
    },
  };
}

/** `name:Type` of each column. */
export function columnsOf(table: TableInfo | undefined): readonly string[] {
  return table!.schema.fields.map((field) => `${field.name}:${String(field.type)}`);
}

/** The error with which a promise is rejected. */
export async function rejection(work: Promise<unknown>): Promise<Error> {
  try {
    await work;
  } catch (error) {
    return error as Error;
  }
  throw new Error("it was not rejected");
}
