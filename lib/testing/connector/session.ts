import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createHost, isAgnesError, raceTimeout, formatValue, type Host } from "../../base/mod.ts";
import { createEngine, type DuckDBLimits } from "../../duckdb/mod.ts";
import {
  isDeletions,
  isFileChunk,
  isRows,
  table,
  type AnyConnector,
  type AnyPlugin,
  type Batch,
  type Capability,
  type Connector,
  type Deletions,
  type DuckDBEngine,
  type ReadOptions,
  type TableInfo,
} from "../../kit/mod.ts";
import { createPluginRegistry } from "../../plugins/mod.ts";
import { batchProblem, connectSource, discoverTables, type SourceHandle } from "../../sources/mod.ts";
import { recordingLog, type RecordingLog } from "../fakes/recording-log.ts";
import type { ContractConfig } from "./config.ts";
import { describeByRead } from "./describe-by-read.ts";
import { CaseWatch } from "./watch.ts";

/** Resource limits of DuckDB in a contract test. */
export const TEST_LIMITS: DuckDBLimits = { memoryMb: 256, threads: 2 };

/** The source's name in every contract test. */
export const SOURCE = "contract";

/** One connected source, for one case. */
export interface Session extends AsyncDisposable {
  readonly plugin: AnyPlugin;
  readonly config: ContractConfig;
  readonly handle: SourceHandle;
  readonly connector: AnyConnector;
  readonly host: Host;
  readonly log: RecordingLog;
  readonly engine: DuckDBEngine;
  /** An empty folder, removed with the session. */
  readonly scratch: string;
  readonly signal: AbortSignal;
  /** The readable tables of the configuration. */
  readTables(): Promise<readonly TableInfo[]>;
  /** Reads a table, and validates every batch. */
  read(info: TableInfo, options?: Partial<ReadOptions>): AsyncGenerator<Batch | Deletions, void, void>;
  /** The tables that exceed `maxRows`, found so far by any case. */
  readonly large: Set<string>;
  /** Those of them that this case skipped. */
  readonly leftOut: Set<string>;
}

/** The context of the case and of all cases of one contract. */
export interface CaseContext {
  readonly watch: CaseWatch;
  readonly large: Set<string>;
  /** Tables without declared columns, with the columns of their first rows. */
  readonly described: Map<string, TableInfo>;
}

/** Connects a plugin through the runtime. */
export async function openSession(
  plugin: AnyPlugin,
  config: ContractConfig,
  { watch, large, described }: CaseContext = {
    watch: new CaseWatch("", {}),
    large: new Set(),
    described: new Map(),
  },
): Promise<Session> {
  const scratch = await mkdtemp(join(tmpdir(), "agnes-contract-"));
  const controller = new AbortController();
  const stop = () => controller.abort(watch.signal.reason);
  watch.signal.addEventListener("abort", stop, { once: true });
  const log = recordingLog();
  const host = hostOf(config);
  const engine = createEngine(host, TEST_LIMITS);
  try {
    const services = { host, log, engine, directory: config.directory ?? process.cwd() };
    const handle = await connectSource(services, createPluginRegistry([plugin]), SOURCE, {
      plugin: plugin.name,
      options: config.options ?? {},
      secrets: plugin.takesAnySecret === true ? ownNames(config.secrets ?? {}) : {},
    });
    const { signal } = controller;
    const dispose = async () => {
      watch.signal.removeEventListener("abort", stop);
      controller.abort();
      await handle.close();
      await engine.close();
      await rm(scratch, { recursive: true, force: true });
    };
    // A hanging case never disposes of its resources.
    watch.signal.addEventListener("abort", () => void dispose().catch(() => {}), { once: true });
    const session: Session = {
      plugin,
      config,
      handle,
      connector: handle.connector,
      host,
      log,
      engine,
      scratch,
      signal,
      large,
      readTables: async () => readable(await knownTables(session, described), config),
      read: (info, options = {}) => checkedRead(session, watch, info, options),
      leftOut: new Set(),
      [Symbol.asyncDispose]: dispose,
    };
    return session;
  } catch (error) {
    await engine.close();
    await rm(scratch, { recursive: true, force: true });
    throw error;
  }
}

/** Returns the connector with the methods of a required capability. */
export function able<C extends Capability>(session: Session, ..._capabilities: readonly C[]): Connector<C> {
  // Cases run only for declared capabilities, and the registry has checked that the methods exist.
  return session.connector as Connector<C>;
}

/** Waits for work with a timeout; fails with the message `broken`. */
export function beforeDeadline<T>(durationMs: number, work: Promise<T>, broken: string): Promise<T> {
  return raceTimeout(work, durationMs, () => new assert.AssertionError({ message: broken }));
}

/** Returns the failure of work; fails with the message `broken` if it succeeds. */
export async function failureOf(work: Promise<unknown>, broken: string): Promise<unknown> {
  const outcome = await work.then(
    () => null,
    (error: unknown) => ({ error }),
  );
  assert.ok(outcome !== null, broken);
  return outcome.error;
}

/** Checks that a failure was wrapped once as `plugin_failed`. */
export function assertWrappedOnce(error: unknown): void {
  if (isAgnesError(error) && error.isDataError) return;
  assert.ok(isAgnesError(error, "plugin_failed"), `the failure is not plugin_failed but ${String(error)}`);
  assert.ok(!isAgnesError(error.cause, "plugin_failed"), `the failure is wrapped twice: ${error.message}`);
}

/** Maps each secret to the variable of its own name, in which `hostOf` sets its value. */
function ownNames(secrets: NonNullable<ContractConfig["secrets"]>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.keys(secrets).map((name) => [name, name]));
}

function hostOf(config: ContractConfig): Host {
  const env = { ...config.host?.env, ...config.secrets };
  if (config.server === undefined) return createHost({ ...config.host, env });
  const { fetch } = config.server;
  // Waits between retries are shortened, because the server is a fake.
  const sleep: Host["sleep"] = async (durationMs, signal) =>
    createHost().sleep(Math.min(durationMs, 2), signal);
  return createHost({ sleep, fetch, ...config.host, env });
}

/** Returns the tables of the source, or those of the configuration if the plugin cannot list tables. */
async function knownTables(
  session: Session,
  described: Map<string, TableInfo>,
): Promise<readonly TableInfo[]> {
  const { handle, config, signal } = session;
  if (handle.connector.discover !== undefined) return discoverTables(handle, { signal });
  const tables: TableInfo[] = [];
  for (const one of config.tables ?? []) {
    const info = toTable(one);
    const known =
      info.schema.fields.length > 0
        ? info
        : (described.get(info.name) ?? (await describeByRead(session, info)));
    described.set(info.name, known);
    tables.push(known);
  }
  return tables;
}

/** Returns a table from a name or a description. */
export function toTable(one: string | TableInfo): TableInfo {
  return typeof one === "string" ? table(one, {}) : one;
}

/** Returns the table of a source by its name. */
export function namedTable(tables: readonly TableInfo[], named: string | TableInfo): TableInfo {
  const { name } = toTable(named);
  const found = tables.find((one) => one.name === name);
  assert.ok(
    found !== undefined,
    `there is no table ${JSON.stringify(name)}, which the test refers to; the tables are ${tables.map((one) => one.name).join(", ")}`,
  );
  return found;
}

function readable(
  tables: readonly TableInfo[],
  { tables: configured }: ContractConfig,
): readonly TableInfo[] {
  const names = configured?.map((one) => namedTable(tables, one).name);
  const found = tables.filter(
    (one) => (one.capabilities?.includes("read") ?? true) && (names?.includes(one.name) ?? true),
  );
  assert.ok(found.length > 0, "there is no readable table");
  return found;
}

/** Reads a table and validates every batch. */
async function* checkedRead(
  session: Session,
  watch: CaseWatch,
  info: TableInfo,
  options: Partial<ReadOptions>,
): AsyncGenerator<Batch | Deletions, void, void> {
  const { signal } = session;
  const read = watch.read(info.name);
  let number = 0;
  try {
    const batches = able(session, "read").read(info, { batchRows: 8192, signal, ...options });
    for await (const batch of batches) {
      signal.throwIfAborted();
      number += 1;
      const problem = problemOf(batch);
      assert.ok(problem === undefined, `batch ${number} of ${info.name} is not valid: ${problem}`);
      read.took(isDeletions(batch) || isFileChunk(batch) ? 0 : isRows(batch) ? batch.length : batch.numRows);
      yield batch;
    }
  } finally {
    read.end();
  }
}

/** Returns why a yielded value is not a valid batch. */
function problemOf(value: Batch | Deletions): string | undefined {
  const advice = "yield row objects, Arrow record batches, file chunks or deletions";
  const problem = batchProblem(value);
  if (problem !== undefined) return `${problem}; ${advice}`;
  if (!isRows(value)) return undefined;
  const at = value.findIndex((row: unknown) => typeof row !== "object" || row === null);
  return at === -1 ? undefined : `row ${at + 1} of it is ${formatValue(value[at])}; ${advice}`;
}
