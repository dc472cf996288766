import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createHost, createLog, isAgnesError, type Host, type LogEntry } from "../../lib/base/mod.ts";
import { openDatabase } from "../../lib/duckdb/mod.ts";
import {
  extractSource,
  type ExtractServices,
  type ExtractStats,
  type TablePlan,
} from "../../lib/extract/mod.ts";
import type { ExtractRequest } from "../../lib/extract/extract-source.ts";
import type { AnyConnector, Batch, ReadResult, ReadOptions, TableInfo } from "../../lib/kit/mod.ts";

/** A temporary folder and the services of an extraction. */
export interface Bench extends AsyncDisposable {
  readonly root: string;
  readonly directory: string;
  readonly services: ExtractServices;
  readonly log: LogEntry[];
  run(
    tables: readonly TablePlan[],
    read: AnyConnector | ReadFunction,
    options?: Partial<ExtractRequest>,
  ): Promise<ExtractStats>;
  /** Rows of a query over the published extract. */
  rows<T = Record<string, unknown>>(sql: string): Promise<readonly T[]>;
}

export type ReadFunction = (
  table: TableInfo,
  options: ReadOptions,
) => AsyncIterable<Batch, ReadResult | void> | Iterable<Batch, ReadResult | void>;

export async function openBench(overrides: Partial<Host> = {}): Promise<Bench> {
  const root = await mkdtemp(join(tmpdir(), "agnes-extract-"));
  const directory = join(root, "extracts", "crm");
  const log: LogEntry[] = [];
  const services: ExtractServices = {
    host: createHost(overrides),
    log: createLog((entry) => log.push(entry)),
    limits: { memoryMb: 512, threads: 2, temporaryDirectory: root },
  };
  return {
    root,
    directory,
    services,
    log,
    run: (tables, read, options = {}) =>
      extractSource(services, { directory, source: sourceOf(connectorOf(read)), tables, ...options }),
    rows: (sql) => rowsOf(directory, sql),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
}

export function sourceOf(connector: AnyConnector) {
  return { name: "crm", plugin: { name: "fake", version: "1.0.0" }, connector };
}

export function connectorOf(read: AnyConnector | ReadFunction): AnyConnector {
  if (typeof read !== "function") return read;
  return {
    async *read(table: TableInfo, options: ReadOptions) {
      return yield* read(table, options);
    },
  };
}

/** A plan with the usual settings. */
export function planOf(info: TableInfo, overrides: Partial<TablePlan> = {}): TablePlan {
  return {
    id: `crm.${info.name}`,
    name: info.name,
    info,
    mode: "local",
    strategy: "full_refresh",
    primaryKey: [],
    schemaPolicy: "evolve",
    quarantine: false,
    description: "",
    ...overrides,
  };
}

/** An incremental plan by the table's own key and cursor. */
export function incremental(info: TableInfo, overrides: Partial<TablePlan> = {}): TablePlan {
  return planOf(info, {
    strategy: "incremental",
    primaryKey: info.primaryKey,
    ...(info.cursor === undefined ? {} : { cursor: info.cursor }),
    ...overrides,
  });
}

/** Returns the rows of a query on the published extract, in the order of its parts and their rows. */
export async function rowsOf<T = Record<string, unknown>>(
  directory: string,
  sql: string,
): Promise<readonly T[]> {
  await using database = await openDatabase({
    path: join(directory, "extract.duckdb"),
    readOnly: true,
    settings: { preserve_insertion_order: "true" },
  });
  await using connection = await database.connect();
  return await connection.rows<T>(sql);
}

/** The code of the error that a promise rejects with. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return isAgnesError(error) ? error.code : String(error);
  }
  return "no error";
}

/** Values in the order of their JSON. */
export function sorted<T>(values: readonly T[]): readonly T[] {
  const text = (value: T) =>
    JSON.stringify(value, (_, item: unknown) => (typeof item === "bigint" ? `${item}` : item));
  return [...values].sort((a, b) => (text(a) < text(b) ? -1 : 1));
}
