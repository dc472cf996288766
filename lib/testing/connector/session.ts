import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createHost, isAgnesError, type Host } from "../../base/mod.ts";
import { createEngine, type DuckDBLimits } from "../../duckdb/mod.ts";
import type {
  AnyConnector,
  AnyPlugin,
  Capability,
  Connector,
  DuckDBEngine,
  TableInfo,
} from "../../kit/mod.ts";
import { connectSource, createPluginRegistry, discoverTables, type SourceHandle } from "../../plugins/mod.ts";
import { recordingLog, type RecordingLog } from "../fakes/recording-log.ts";
import type { ContractConfig } from "./config.ts";

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
}

/** Connects a plugin as the product does. */
export async function openSession(plugin: AnyPlugin, config: ContractConfig): Promise<Session> {
  const scratch = await mkdtemp(join(tmpdir(), "agnes-contract-"));
  const controller = new AbortController();
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
    return {
      plugin,
      config,
      handle,
      connector: handle.connector,
      host,
      log,
      engine,
      scratch,
      signal,
      readTables: async () => readable(await discoverTables(handle, { signal }), config),
      async [Symbol.asyncDispose]() {
        controller.abort();
        await handle.close();
        await engine.close();
        await rm(scratch, { recursive: true, force: true });
      },
    };
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
export async function within<T>(durationMs: number, work: Promise<T>, broken: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new assert.AssertionError({ message: broken })), durationMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
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

function readable(tables: readonly TableInfo[], { tables: wanted }: ContractConfig): readonly TableInfo[] {
  for (const name of wanted ?? []) {
    assert.ok(
      tables.some((one) => one.name === name),
      `discover() does not list the table ${JSON.stringify(name)} that the test names`,
    );
  }
  const found = tables.filter(
    (one) => (one.capabilities?.includes("read") ?? true) && (wanted?.includes(one.name) ?? true),
  );
  assert.ok(found.length > 0, "there is no table that can be read");
  return found;
}
