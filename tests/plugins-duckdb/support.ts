import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { ReadOptions, TableInfo } from "agnes/kit";

import { createHost, silentLog } from "../../lib/base/mod.ts";
import { createEngine, openDatabase } from "../../lib/duckdb/mod.ts";
import { createPluginRegistry } from "../../lib/plugins/mod.ts";
import { connectSource, discoverTables, type SourceHandle } from "../../lib/sources/mod.ts";
import duckdb from "../../plugins/duckdb/plugin.ts";

/** A DuckDB file and a source over it. */
export interface Warehouse extends AsyncDisposable {
  readonly directory: string;
  readonly file: string;
  connect(options?: Record<string, unknown>): Promise<SourceHandle>;
}

export async function makeWarehouse(sql: string): Promise<Warehouse> {
  const directory = await mkdtemp(join(tmpdir(), "agnes-warehouse-"));
  const file = join(directory, "warehouse.duckdb");
  {
    await using database = await openDatabase({ path: file });
    await using connection = await database.connect();
    await connection.run(sql);
  }
  const engine = createEngine(createHost(), { memoryMb: 256, threads: 2 });
  const services = { host: createHost(), log: silentLog, engine, directory };
  return {
    directory,
    file,
    connect: (options = { path: "warehouse.duckdb" }) =>
      connectSource(services, createPluginRegistry([duckdb]), "wh", { plugin: "duckdb", options }),
    async [Symbol.asyncDispose]() {
      await engine.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export async function tableOf(handle: SourceHandle, name: string): Promise<TableInfo> {
  return (await discoverTables(handle)).find((table) => table.name === name)!;
}

/** The rows of a read as objects. */
export async function rowsOf(
  handle: SourceHandle,
  table: TableInfo,
  options: Partial<ReadOptions> = {},
): Promise<readonly Record<string, unknown>[]> {
  const { signal } = new AbortController();
  const rows: Record<string, unknown>[] = [];
  for await (const batch of handle.connector.read!(table, { batchRows: 2048, signal, ...options })) {
    for (const row of batch as Iterable<{ toJSON(): Record<string, unknown> }>) rows.push(row.toJSON());
  }
  return rows;
}

/** Returns the error of a rejected promise. */
export async function rejection(work: Promise<unknown>): Promise<Error> {
  try {
    await work;
  } catch (error) {
    return error as Error;
  }
  throw new Error("it was not rejected");
}
