import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { recordingLog, type FakeHost, type RecordingLog } from "agnes/testing";
import type { FileChunk, ReadOptions, ReadResult, TableInfo } from "agnes/kit";

import { createEngine } from "../../lib/duckdb/mod.ts";
import { extractSource, type ExtractStats, type TablePlan } from "../../lib/extract/mod.ts";
import { createPluginRegistry } from "../../lib/plugins/mod.ts";
import { connectSource, discoverTables, type SourceHandle } from "../../lib/sources/mod.ts";
import plugin from "../../plugins/keboola/plugin.ts";
import { rowsOf } from "../extract/harness.ts";
import type { FakeKeboola } from "../fakes/keboola/mod.ts";

const LIMITS = { memoryMb: 256, threads: 2 };

/** A source over a fake project, and its extract. */
export interface Project extends AsyncDisposable {
  readonly handle: SourceHandle;
  readonly host: FakeHost;
  readonly log: RecordingLog;
  readonly directory: string;
  tables(): Promise<ReadonlyMap<string, TableInfo>>;
  /** Connects again, as the next process does. */
  reconnect(): Promise<void>;
  /** Discovers the tables and extracts some of them. */
  sync(
    plans: Readonly<Record<string, Partial<TablePlan>>>,
    options?: { full?: boolean; signal?: AbortSignal },
  ): Promise<ExtractStats>;
  /** Rows of a query over the extract. */
  rows<T = Record<string, unknown>>(sql: string): Promise<readonly T[]>;
  /** Reads a table without the runtime. */
  read(
    info: TableInfo,
    options?: Partial<ReadOptions>,
  ): Promise<{ chunks: readonly FileChunk[]; end: ReadResult }>;
}

/** The options of a source over a fake, whose host no name server knows. */
export function optionsOf(keboola: FakeKeboola): Record<string, unknown> {
  return { url: `${keboola.stack}/`, allowPrivateAddress: true };
}

/** Connects to a fake project. */
export async function openProject(
  keboola: FakeKeboola,
  options: Record<string, unknown> = {},
  {
    token = keboola.token,
    startsAt = new Date("2026-06-01T08:00:00Z"),
  }: { token?: string; startsAt?: Date } = {},
): Promise<Project> {
  const root = await mkdtemp(join(tmpdir(), "agnes-keboola-"));
  const directory = join(root, "extract");
  const host = keboola.host({ env: { KEBOOLA_STORAGE_TOKEN: token }, startsAt });
  const log = recordingLog();
  const engine = createEngine(host, LIMITS);
  const services = { host, log, engine, directory: root };
  const config = { plugin: "keboola", options: { ...optionsOf(keboola), ...options } };
  const registry = createPluginRegistry([plugin]);
  let handle = await connectSource(services, registry, "kbc", config);
  const { signal } = new AbortController();
  const tables = async () => new Map((await discoverTables(handle)).map((table) => [table.name, table]));
  return {
    get handle() {
      return handle;
    },
    host,
    log,
    directory,
    tables,
    async reconnect() {
      await handle.close();
      handle = await connectSource(services, registry, "kbc", config);
    },
    async sync(plans, { full = false, signal: stop } = {}) {
      const known = await tables();
      return extractSource(
        { host, log, limits: { ...LIMITS, temporaryDirectory: root } },
        {
          directory,
          source: handle,
          full,
          ...(stop === undefined ? {} : { signal: stop }),
          tables: Object.entries(plans).map(([name, plan]) => planOf(known.get(name)!, plan)),
        },
      );
    },
    rows: (sql) => rowsOf(directory, sql),
    async read(info, readOptions = {}) {
      const read = handle.connector.read!(info, { batchRows: 8192, signal, ...readOptions });
      const batches = read[Symbol.asyncIterator]();
      const chunks: FileChunk[] = [];
      for (;;) {
        const step = await batches.next();
        if (step.done === true) return { chunks, end: step.value ?? {} };
        chunks.push(step.value as FileChunk);
      }
    },
    async [Symbol.asyncDispose]() {
      await handle.close();
      await engine.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

function planOf(info: TableInfo, overrides: Partial<TablePlan>): TablePlan {
  const name = info.name.split(".").at(-1)!.replaceAll("-", "_");
  return {
    id: `kbc.${name}`,
    name,
    info,
    mode: "local",
    strategy: "full_refresh",
    primaryKey: info.primaryKey,
    schemaPolicy: "evolve",
    quarantine: false,
    description: info.description ?? "",
    ...overrides,
  };
}

/** The errors of a run as text. */
export function errorsOf(stats: ExtractStats): readonly string[] {
  return stats.errors.map(({ table, error }) => `${table}: ${error.code}: ${error.message}`);
}

/** The bodies of the exports that a fake started. */
export function exportsOf(keboola: FakeKeboola): readonly Readonly<Record<string, unknown>>[] {
  return keboola
    .requestsOf("export")
    .map(({ body }) => JSON.parse(body) as Readonly<Record<string, unknown>>);
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
