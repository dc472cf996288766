import {
  type AgnesError,
  counted,
  isAgnesError,
  redactThrown,
  redactValue,
  withTimeout,
} from "../base/mod.ts";
import {
  extractSource,
  isPushedOnly,
  readExtract,
  type ExtractProgress,
  type ExtractStats,
  type TablePlan,
} from "../extract/mod.ts";
import type { TableInfo } from "../kit/mod.ts";
import { beginRead, endRead } from "../push/mod.ts";
import { discoverTables, openSource, withTableCommand, type SourceHandle } from "../sources/mod.ts";
import { registerCommand, sourceTablesOf, type RegisteredTable, type TableRegistry } from "../tables/mod.ts";
import { dataPaths, type SourceConfig } from "../workspace/mod.ts";
import { withEvents } from "./event-stats.ts";
import { mergeEvents, type MergedEvents } from "./merge-events.ts";
import { notReady } from "./health/check-source.ts";
import { planSource } from "./plan.ts";
import type { RegistrationTurn } from "./registration-order.ts";
import type { SourceReport } from "./report.ts";
import type { SyncServices } from "./services.ts";
import { dropLeftTables } from "./unregister.ts";
import { reportVanished } from "./vanished.ts";

/** The request of a run of one source. */
export interface SourceRequest {
  readonly source: string;
  /** The id of the run in the history. */
  readonly runId: string;
  /** Names of the tables to sync; `null` for all registered ones. */
  readonly only: readonly string[] | null;
  readonly full: boolean;
  readonly signal?: AbortSignal | undefined;
  /** The turn to register new tables. Default: no wait. */
  readonly registration?: RegistrationTurn;
  readonly onProgress?: ((progress: ExtractProgress) => void) | undefined;
}

/**
 * Runs one source: connect, check its health, discover, register new tables if configured, merge its pushed events, extract, publish.
 */
export async function syncSource(services: SyncServices, request: SourceRequest): Promise<SourceReport> {
  const { source, signal } = request;
  const config = services.workspace.config.sources[source]!;
  using timeout = withTimeout(`the run of source ${source}`, config.timeoutMs, signal);
  const bounded = { ...request, signal: timeout.signal };
  try {
    const isFresh = await freshTables(services.tables, request);
    await using handle = await openSource(services, source, timeout.signal, isFresh);
    try {
      const notReadyError = await notReady(handle, timeout.signal);
      if (notReadyError !== null)
        return { source, status: "skipped", error: notReadyError, registered: [], notes: [] };
      const report = await runConnected(services, handle, config, bounded);
      return { ...report, notes: redactValue(report.notes, handle.secrets) };
    } catch (error) {
      throw redactThrown(error, handle.secrets);
    }
  } catch (error) {
    if (signal?.aborted === true || !isAgnesError(error)) throw error;
    return { source, status: "failed", error, registered: [], notes: [] };
  }
}

/** The tables to read from scratch, independent of earlier reads. */
async function freshTables(
  tables: TableRegistry,
  { source, only, full }: SourceRequest,
): Promise<(table: string) => boolean> {
  if (!full) return () => false;
  if (only === null) return () => true;
  const names = new Set(only);
  for (const { name, sourceTable: own } of await tables.list({ source })) {
    if (names.has(name) && own !== null) names.add(own);
  }
  return (table) => names.has(table);
}

async function runConnected(
  services: SyncServices,
  handle: SourceHandle,
  config: SourceConfig,
  request: SourceRequest & { readonly signal: AbortSignal },
): Promise<SourceReport> {
  const { source, only, signal } = request;
  const canDiscover = handle.plugin.capabilities.includes("discover");
  const discovered = canDiscover ? await discoverTables(handle, { signal }) : null;
  const { registered, notes, unreadable } = await registerInTurn(services, handle, config, {
    discovered: discovered ?? [],
    request,
  });
  const failed = only === null ? unreadable : unreadable.filter(({ table }) => only.includes(table));
  // A table that could never be read is not registered, but may be requested.
  const requested = only && only.filter((name) => !failed.some(({ table }) => table === name));
  const records = await wantedRecords(services.tables, source, requested);
  const isPaused = records.length === 0 && (await services.tables.list({ source })).length > 0;
  if (records.length + failed.length === 0 && !isPaused) {
    await dropLeftTables(services, source);
    const allNotes = [...notes, unregisteredNote(source, handle.plugin, config, discovered)];
    return { source, status: "unregistered", registered: [], notes: allNotes };
  }
  const plan = planSource(records, discovered, services.host.now(), handle.plugin);
  const merged = await mergeEvents(services, handle, { runId: request.runId, discovered, signal });
  const events = merged === null ? {} : { events: merged.report };
  const [pushedOnly, readable] = parted(plan.tables, (table) => isPushedOnly(handle.connector, table));
  let read: ExtractStats;
  try {
    read = await extractBetween(services, handle, config, { ...request, tables: readable, merged });
  } catch (thrown) {
    const error = redactThrown(thrown, handle.secrets);
    if (!isAgnesError(error) || signal.aborted) throw error;
    return { source, status: "failed", error, ...events, registered, notes };
  }
  const directory = dataPaths.extract(services.workspace.dataDirectory, source);
  const published = pushedOnly.length === 0 ? null : await readExtract(services.host.files, directory);
  const stats = withEvents(read, merged, pushedOnly, published);
  const vanished = await reportVanished(services, source, plan.vanished, only);
  const errors = [
    ...stats.errors.map(({ table, error }) => {
      const record = records.find(({ name }) => name === table);
      return { table, error: record === undefined ? error : withTableCommand(error, record, handle.plugin) };
    }),
    ...failed.map(({ table, error }) => ({
      table,
      error: withTableCommand(error, { source, table }, handle.plugin),
    })),
    ...vanished.errors,
  ];
  const tablesFailed = stats.tablesFailed + failed.length + vanished.errors.length;
  const complete: ExtractStats = { ...stats, errors, tablesFailed };
  const succeeded = stats.tablesExtracted + stats.tablesSkipped;
  const error = merged?.error === undefined ? {} : { error: merged.error };
  const isComplete = complete.tablesFailed === 0 && merged?.error === undefined;
  const status = isComplete ? "complete" : succeeded > 0 ? "partial" : "failed";
  const pausedNotes = isPaused ? ["all its tables are paused, so none was read"] : [];
  const allNotes = [...notes, ...(merged?.notes ?? []), ...pausedNotes, ...vanished.notes];
  return { source, status, stats: complete, ...events, ...error, registered, notes: allNotes };
}

type ReadRequest = SourceRequest & { readonly signal: AbortSignal; readonly tables: readonly TablePlan[] };

/** Reads the tables of a source, and records which events arrive meanwhile, if it receives any. */
async function extractBetween(
  services: SyncServices,
  source: SourceHandle,
  config: SourceConfig,
  { merged, ...request }: ReadRequest & { readonly merged: MergedEvents | null },
): Promise<ExtractStats> {
  if (merged === null) return extract(services, source, config, { ...request, again: [] });
  const { host, workspace } = services;
  const directory = dataPaths.extract(workspace.dataDirectory, source.name);
  const namesOf = (plans: readonly TablePlan[]) => plans.map(({ info }) => info.name);
  await beginRead(host, directory, namesOf(request.tables));
  const stats = await extract(services, source, config, { ...request, again: merged.again });
  const failed = new Set(stats.errors.map(({ table }) => table));
  const left = namesOf(request.tables.filter(({ name }) => failed.has(name)));
  const read = namesOf(request.tables).filter((name) => !left.includes(name));
  await endRead(host, directory, read);
  return stats;
}

async function extract(
  services: SyncServices,
  source: SourceHandle,
  config: SourceConfig,
  request: ReadRequest & { readonly again: readonly string[] },
): Promise<ExtractStats> {
  const { host, log, limits, workspace } = services;
  const { runId, tables, full, again, signal, onProgress } = request;
  const { materializeTimeoutMs } = config;
  return extractSource(
    { host, log, limits },
    {
      directory: dataPaths.extract(workspace.dataDirectory, source.name),
      source,
      runId,
      tables,
      full,
      again,
      signal,
      keep: await keptNames(services.tables, source.name),
      ...(materializeTimeoutMs === undefined ? {} : { materializeTimeoutMs }),
      ...(onProgress === undefined ? {} : { onProgress }),
    },
  );
}

/** Splits a list into the values that match and the others. */
function parted<T>(
  values: readonly T[],
  matches: (value: T) => boolean,
): readonly [readonly T[], readonly T[]] {
  return [values.filter(matches), values.filter((value) => !matches(value))];
}

/** Whether a sync registers all tables of a source. */
function registersAll(config: SourceConfig, plugin: SourceHandle["plugin"]): boolean {
  return (config.register ?? plugin.register ?? "all") === "all";
}

/** The result of registering the tables of a source. */
interface Registration {
  readonly registered: readonly string[];
  readonly notes: readonly string[];
  /** Unregistered tables that cannot be read. */
  readonly unreadable: ExtractStats["errors"];
}

/**
 * Registers new tables, if the configuration or the plugin's default enables it. Waits for this source's turn only if
 * there are new tables.
 */
async function registerInTurn(
  services: SyncServices,
  handle: SourceHandle,
  config: SourceConfig,
  {
    discovered,
    request: { registration, signal },
  }: {
    readonly discovered: readonly TableInfo[];
    readonly request: SourceRequest & { readonly signal: AbortSignal };
  },
): Promise<Registration> {
  if (!registersAll(config, handle.plugin)) {
    return { registered: [], notes: [], unreadable: [] };
  }
  if (registration !== undefined && (await hasNew(services.tables, handle.name, discovered))) {
    await registration.begin(signal);
  }
  const done = await registerNew(services, handle, discovered);
  registration?.end();
  return done;
}

async function hasNew(
  tables: TableRegistry,
  source: string,
  discovered: readonly TableInfo[],
): Promise<boolean> {
  const known = sourceTablesOf(discovered);
  const found = new Set((await tables.list({ source })).map(known));
  return discovered.some((info) => !found.has(info));
}

/** Registers the tables that are not registered yet. */
async function registerNew(
  services: SyncServices,
  handle: SourceHandle,
  discovered: readonly TableInfo[],
): Promise<Registration> {
  const plan = await services.tables.registerDiscovered(handle.name, discovered, {
    capabilities: handle.plugin.capabilities,
  });
  const registered: string[] = [];
  const notes: string[] = [];
  const unreadable: { readonly table: string; readonly error: AgnesError }[] = [];
  for (const candidate of plan.candidates) {
    if (candidate.kind === "new") {
      registered.push(candidate.id);
      notes.push(...candidate.notes.map((note) => `table ${candidate.table}: ${note}`));
    } else if (candidate.kind === "invalid") {
      notes.push(`${candidate.table} was not registered: ${candidate.reason}`);
    } else if (candidate.kind === "drifted") {
      notes.push(...candidate.drift.map((drift) => `${candidate.id}: ${drift.field}: ${drift.reason}`));
    } else if (candidate.kind === "left_out") {
      notes.push(candidate.reason);
    } else if (candidate.kind === "unreadable" && candidate.id === null) {
      const { problem } = discovered.find(({ name }) => name === candidate.table)!;
      unreadable.push({ table: candidate.table, error: problem! });
    }
  }
  return { registered, notes, unreadable };
}

/**
 * The requested tables of a source; `null` requests all that are not paused.
 * @throws the errors of `TableRegistry.find` for tables that are not registered
 */
export async function wantedRecords(
  tables: TableRegistry,
  source: string,
  only: readonly string[] | null,
): Promise<readonly RegisteredTable[]> {
  const records = await tables.list({ source });
  if (only === null) return records.filter(({ syncPaused }) => !syncPaused);
  const found = await Promise.all(
    only.map(
      async (name) => records.find((record) => record.name === name) ?? tables.find(`${source}.${name}`),
    ),
  );
  // A request may name a table twice, also in another case. A second plan for it would publish its rows twice.
  return [...new Map(found.map((record) => [record.id, record])).values()];
}

async function keptNames(tables: TableRegistry, source: string): Promise<readonly string[]> {
  return (await tables.list({ source })).map((record) => record.name);
}

function unregisteredNote(
  source: string,
  plugin: SourceHandle["plugin"],
  config: SourceConfig,
  discovered: readonly TableInfo[] | null,
): string {
  const { name } = plugin;
  const register = registerCommand(source, plugin.capabilities);
  if (register === null)
    return `the plugin ${name} can neither read nor query tables, so there is nothing to sync`;
  if (discovered === null) {
    return `${source} has no registered tables, and its plugin cannot list its tables: run \`${register}\``;
  }
  const count = discovered.length;
  if (count === 0) return `the source has no tables: check it with \`agnes connector health ${source}\``;
  const none = `${source} has ${counted(count, "table")}, none of them registered`;
  return registersAll(config, plugin)
    ? `${none}: run \`agnes table discover ${source}\``
    : `${none}: \`agnes connector discover ${source}\` lists them, and \`${register}\` registers one`;
}
