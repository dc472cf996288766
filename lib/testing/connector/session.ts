import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createHost, isAgnesError, isDataCode, raceTimeout, shown, type Host } from "../../base/mod.ts";
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

/** What DuckDB may use of the machine in a contract test. */
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
  /** An empty folder that goes when the session does. */
  readonly scratch: string;
  readonly signal: AbortSignal;
  /** The tables that can be read, of those the configuration names. */
  readTables(): Promise<readonly TableInfo[]>;
  /** Reads a table, and checks that every batch is one. */
  read(info: TableInfo, options?: Partial<ReadOptions>): AsyncGenerator<Batch | Deletions, void, void>;
  /** The tables found so far, by any case, to have more rows than may be read. */
  readonly large: Set<string>;
  /** Those of them that this case left out. */
  readonly leftOut: Set<string>;
}

/** What belongs to the case, and to all cases of one contract. */
export interface CaseContext {
  readonly watch: CaseWatch;
  readonly large: Set<string>;
  /** Tables that nobody described, with the columns of their first rows. */
  readonly described: Map<string, TableInfo>;
}

/** Connects a plugin as the product does. */
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
      secrets: {},
    });
    const { signal } = controller;
    const dispose = async () => {
      watch.signal.removeEventListener("abort", stop);
      controller.abort();
      await handle.close();
      await engine.close();
      await rm(scratch, { recursive: true, force: true });
    };
    // The body of a case that hangs never gets to dispose of what it uses.
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

/** The connector, with the methods of a capability that the case needs. */
export function able<C extends Capability>(session: Session, ..._capabilities: readonly C[]): Connector<C> {
  // Cases run only for the capabilities they need, and the registry checked that the methods are there.
  return session.connector as Connector<C>;
}

/** Waits for work that must end soon; fails with `broken` when it does not. */
export function within<T>(durationMs: number, work: Promise<T>, broken: string): Promise<T> {
  return raceTimeout(work, durationMs, () => new assert.AssertionError({ message: broken }));
}

/** The failure that work ends with; fails with `broken` when it succeeds. */
export async function failureOf(work: Promise<unknown>, broken: string): Promise<unknown> {
  const outcome = await work.then(
    () => null,
    (error: unknown) => ({ error }),
  );
  assert.ok(outcome !== null, broken);
  return outcome.error;
}

/** Checks that a failure was wrapped once, in the words of the product. */
export function assertWrappedOnce(error: unknown): void {
  if (isAgnesError(error) && isDataCode(error.code)) return;
  assert.ok(isAgnesError(error, "plugin_failed"), `the failure is not plugin_failed but ${String(error)}`);
  assert.ok(!isAgnesError(error.cause, "plugin_failed"), `the failure is wrapped twice: ${error.message}`);
}

function hostOf(config: ContractConfig): Host {
  const env = { ...config.host?.env, ...config.secrets };
  if (config.server === undefined) return createHost({ ...config.host, env });
  const { fetch } = config.server;
  // Waits between tries are cut short: the server is a fake and does not mind.
  const sleep: Host["sleep"] = async (durationMs, signal) =>
    createHost().sleep(Math.min(durationMs, 2), signal);
  return createHost({ sleep, fetch, ...config.host, env });
}

/** The tables of the source; those that the configuration names or describes, when the plugin cannot list any. */
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

/** A table that a test names or describes. */
export function toTable(one: string | TableInfo): TableInfo {
  return typeof one === "string" ? table(one, {}) : one;
}

/** The table of a source that a test names. */
export function namedTable(tables: readonly TableInfo[], named: string | TableInfo): TableInfo {
  const { name } = toTable(named);
  const found = tables.find((one) => one.name === name);
  assert.ok(
    found !== undefined,
    `there is no table ${JSON.stringify(name)}, which the test names; there are ${tables.map((one) => one.name).join(", ")}`,
  );
  return found;
}

function readable(tables: readonly TableInfo[], { tables: given }: ContractConfig): readonly TableInfo[] {
  const wanted = given?.map((one) => namedTable(tables, one).name);
  const found = tables.filter(
    (one) => (one.capabilities?.includes("read") ?? true) && (wanted?.includes(one.name) ?? true),
  );
  assert.ok(found.length > 0, "there is no table that can be read");
  return found;
}

/** Reads with a check of every batch, so that no case takes something else for one. */
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
    const given = able(session, "read").read(info, { batchRows: 8192, signal, ...options });
    for await (const batch of given) {
      signal.throwIfAborted();
      number += 1;
      const problem = problemOf(batch);
      assert.ok(problem === undefined, `batch ${number} of ${info.name} is no batch: ${problem}`);
      read.took(isDeletions(batch) || isFileChunk(batch) ? 0 : isRows(batch) ? batch.length : batch.numRows);
      yield batch;
    }
  } finally {
    read.end();
  }
}

/** Why something that a read gave is no batch. */
function problemOf(value: Batch | Deletions): string | undefined {
  const advice = "yield row objects, Arrow record batches, file chunks or deletions";
  const problem = batchProblem(value);
  if (problem !== undefined) return `${problem}; ${advice}`;
  if (!isRows(value)) return undefined;
  const at = value.findIndex((row: unknown) => typeof row !== "object" || row === null);
  return at === -1 ? undefined : `row ${at + 1} of it is ${shown(value[at])}; ${advice}`;
}
