import { rebuild, Rebuilds } from "../analytics/mod.ts";
import { AgnesError, counted, eachOf, isAgnesError, throwIfAborted } from "../base/mod.ts";
import type { ExtractProgress } from "../extract/mod.ts";
import { unknownSource } from "../sources/mod.ts";
import type { TableRegistry } from "../tables/mod.ts";
import { dataPaths, readCopyState } from "../workspace/mod.ts";
import type { SyncProcessSettings } from "./child/settings.ts";
import { syncInProcess } from "./child/source-process.ts";
import type { HealthChecks } from "./health/health-checks.ts";
import { profileChanged } from "./profile-changed.ts";
import { registrationOrder, type RegistrationTurn } from "./registration-order.ts";
import { statusOf, type SourceReport, type SyncReport } from "./report.ts";
import { attemptsOf } from "./runs/result.ts";
import type { Runs } from "./runs/runs.ts";
import type { RunTrigger } from "./runs/types.ts";
import { dueTime, NextTimes } from "./schedule/due.ts";
import { takeLease } from "./schedule/scheduler.ts";
import type { SyncServices } from "./services.ts";
import { syncSource, wantedRecords, type SourceRequest } from "./source.ts";
import type { AttemptingRun, SyncState } from "./sync-state.ts";
import { dropLeftTables } from "./unregister.ts";

/** The services of a sync, with what is kept of each run. */
interface RecordedServices extends SyncServices {
  readonly state: SyncState;
  readonly health: Pick<HealthChecks, "recordRun">;
  readonly runs: Runs;
  /** Who requests the sync. */
  readonly actor: string;
  /** The processes in which the sources run; null: in this process. */
  readonly processes: SyncProcessSettings | null;
}

/** The options of a sync. */
export interface SyncOptions {
  /**
   * Sources, or tables as `source.name` or by their view names. Paused tables are synced only if they are named here.
   * Default: all sources.
   */
  readonly only?: readonly string[];
  /** Reads all rows again instead of new ones. Default: `false`. */
  readonly full?: boolean;
  /**
   * Syncs only tables that are due by their schedule. Tables without a schedule, and paused ones, are never due. After a
   * failure a table is due again after a minute, then after two, four, at most sixty. Default: `false`.
   */
  readonly due?: boolean;
  /** What requests the sync, for the record of its runs. Default: `library`. */
  readonly trigger?: RunTrigger;
  /** Who requests it, for the record of its runs. Default: `actor` of `createAgnes`. */
  readonly actor?: string;
  /** Called when the run of a source begins. */
  readonly onRun?: (run: { readonly id: string; readonly source: string }) => void;
  readonly signal?: AbortSignal;
  /** How many sources run at once. Default: `limits.sourcesAtOnce` of `agnes.yaml`, 4. */
  readonly concurrency?: number;
  readonly onProgress?: (progress: ExtractProgress & { readonly source: string }) => void;
  /** Called for each source when it ends. */
  readonly onSource?: (report: SourceReport) => void;
}

/**
 * Runs the sources, several at once. Each is visible in the analytics database soon after it ends, independent of the
 * others. The rebuild at the end provides the report.
 */
export async function syncSources(
  services: RecordedServices,
  options: SyncOptions = {},
): Promise<SyncReport> {
  const { signal } = options;
  const { config, dataDirectory } = services.workspace;
  const known = Object.keys(config.sources);
  if (known.length === 0 && config.copy !== undefined)
    throw new AgnesError("copy_not_synced", { server: config.copy.server });
  await rejectPulled(services, known, options.only);
  const requested = await requestedTables(services.tables, known, options.only);
  if (options.due !== true) return syncWanted(services, options, requested);
  await using lease = await takeLease(services.host, dataPaths.running(dataDirectory));
  if (lease !== null) return await syncWanted(services, options, requested);
  const note = "another process of this workspace syncs what is due, so this command did nothing";
  const analytics = await rebuild(services, { signal });
  return { status: "complete", sources: [], notes: [note], analytics, profiles: [] };
}

/** Runs sources and rebuilds the analytics database. */
async function syncWanted(
  services: RecordedServices,
  options: SyncOptions,
  requestedSources: ReadonlyMap<string, readonly string[] | null>,
): Promise<SyncReport> {
  const { signal, onSource, concurrency = services.workspace.config.limits.sourcesAtOnce } = options;
  const known = Object.keys(services.workspace.config.sources);
  const wanted = [...requestedSources];
  const names = wanted.map(([source]) => source);
  const turnOf = registrationOrder(services.host, names);
  const rebuilds = new Rebuilds(() => rebuild(services, { signal }), services.log);
  let left = wanted.length;
  /** The run of each source. */
  const begun = new Map<string, string>();
  const onRun: SyncOptions["onRun"] = (one) => {
    begun.set(one.source, one.id);
    options.onRun?.(one);
  };
  const run = async ([source, requested]: (typeof wanted)[number]) => {
    const registration = turnOf(source);
    try {
      throwIfAborted(signal, "the sync");
      const report = await runSource(services, { ...options, onRun }, { source, requested, registration });
      left -= 1;
      // The rebuild at the end includes the last source.
      if (left > 0 && report?.stats?.published === true) rebuilds.request();
      if (report !== null) onSource?.(report);
      return report;
    } finally {
      registration.end();
    }
  };
  let reports: readonly (SourceReport | null)[];
  try {
    reports = await eachOf(wanted, concurrency, run);
  } catch (error) {
    await rebuilds.settle();
    // A source may have published before it was stopped: other tables, or windows of a first load.
    await rebuild(services).catch((other: unknown) => {
      services.log.warn("what was published before the stop is not visible yet", { error: other });
    });
    throw error;
  }
  await rebuilds.settle();
  const sources = reports.filter((report) => report !== null);
  const analytics = await rebuild(services, { signal }).catch(async (error: unknown) => {
    const published = sources.flatMap(({ source, stats }) =>
      stats?.published === true ? (begun.get(source) ?? []) : [],
    );
    await services.runs.warn(published, error);
    throw error;
  });
  const notes = options.only === undefined && options.due !== true ? await unconfigured(services, known) : [];
  const profiles = await profileChanged(services, sources, signal);
  return { status: statusOf(sources), sources, notes, analytics, profiles };
}

/**
 * The sources to sync, each with the names of its tables or `null` for all, in the order of `known`.
 * @throws `source_unknown` with the nearest source or view name
 */
export async function requestedTables(
  tables: TableRegistry,
  known: readonly string[],
  only: readonly string[] | undefined,
): Promise<ReadonlyMap<string, readonly string[] | null>> {
  return wantedSources(known, await withoutViews(tables, known, only));
}

/** A note for each source with registered tables that is not in `agnes.yaml`. */
async function unconfigured(
  { host, tables, workspace }: SyncServices,
  known: readonly string[],
): Promise<readonly string[]> {
  const pulled = (await readCopyState(host, workspace.dataDirectory))?.sources ?? [];
  const left = (await tables.list()).filter(
    ({ source }) => !known.includes(source) && !pulled.includes(source),
  );
  return [...new Set(left.map(({ source }) => source))].map((source) => {
    const ids = left.filter((table) => table.source === source).map(({ id }) => id);
    return (
      `source ${source} is not in agnes.yaml, so ${counted(ids.length, "registered table")} of it ` +
      `${ids.length === 1 ? "is" : "are"} not synced: configure the source again, or remove ` +
      `${ids.length === 1 ? "the table" : "each table"} with \`agnes table unregister ${ids[0]}\``
    );
  });
}

/** Runs one source of a sync; null if none of its tables is due. */
async function runSource(
  services: RecordedServices,
  options: SyncOptions,
  {
    source,
    requested,
    registration,
  }: {
    readonly source: string;
    readonly requested: readonly string[] | null;
    readonly registration: RegistrationTurn;
  },
): Promise<SourceReport | null> {
  const { onProgress, due = false } = options;
  const only = due ? await dueTables(services, source, requested) : requested;
  if (due && only?.length === 0) return null;
  const { full = false, trigger = "library", actor = services.actor } = options;
  const run = await services.runs
    .begin({ source, trigger, actor, full, requested: only })
    .catch((error: unknown) => failedToBegin(services, { source, only }, error));
  if ("status" in run) return run;
  options.onRun?.({ id: run.id, source });
  try {
    const request = {
      source,
      runId: run.id,
      only,
      full,
      signal: options.signal,
      registration,
      onProgress: (progress: ExtractProgress) => {
        run.update(progress);
        onProgress?.({ ...progress, source });
      },
    } satisfies SourceRequest;
    const { processes } = services;
    const report =
      processes === null
        ? await syncSource(services, request)
        : await syncInProcess(services, processes, { ...request, actor: services.actor });
    await recordAttempts(services, report, { id: run.id, startedAt: run.startedAt.toISOString() }, only);
    await services.health.recordRun(report);
    // Tables that were unregistered while the run had their extract.
    const left = await namesOf(services.tables, source);
    if (report.stats?.tables.some(({ name }) => !left.includes(name)) === true)
      await dropLeftTables(services, source);
    await run.end(report);
    return report;
  } catch (error) {
    await run.stop(error);
    throw error;
  }
}

/** The report of a source that another run uses, or whose run cannot be recorded. The latter is a failure of its tables. */
async function failedToBegin(
  services: RecordedServices,
  { source, only }: { readonly source: string; readonly only: readonly string[] | null },
  error: unknown,
): Promise<SourceReport> {
  if (!isAgnesError(error)) throw error;
  const report = { source, status: "failed", error, registered: [], notes: [] } as const;
  if (isAgnesError(error, "source_running")) return report;
  await recordAttempts(services, report, { id: null, startedAt: services.host.now().toISOString() }, only);
  return report;
}

/**
 * Records what a run did with its registered tables. A table that could never be read is not registered, and state of it would
 * show a registry that is still empty as lost; see `unregisteredExtracts`.
 */
async function recordAttempts(
  { state, tables }: RecordedServices,
  report: SourceReport,
  run: AttemptingRun,
  only: readonly string[] | null,
): Promise<void> {
  const { source } = report;
  const attempts = attemptsOf(report, only ?? (await readNames(tables, source)));
  const registered = new Set(await namesOf(tables, source));
  await state.record(
    source,
    run,
    attempts.filter(({ table }) => registered.has(table)),
  );
}

/** The tables that a run of the whole source reads. */
async function readNames(tables: TableRegistry, source: string): Promise<readonly string[]> {
  return (await wantedRecords(tables, source, null)).map(({ name }) => name);
}

async function namesOf(tables: TableRegistry, source: string): Promise<readonly string[]> {
  return (await tables.list({ source })).map(({ name }) => name);
}

/** The names of the requested tables of a source that are due by their schedule. */
async function dueTables(
  { host, state, tables }: RecordedServices,
  source: string,
  requested: readonly string[] | null,
): Promise<readonly string[]> {
  const records = await wantedRecords(tables, source, requested);
  if (records.every(({ syncSchedule }) => syncSchedule === null)) return [];
  const states = await state.ofRegistered(source, records);
  const now = host.now();
  const times = new NextTimes();
  const due = records.filter((record) => {
    const dueMs = dueTime({ record, state: states.get(record.name) }, now, times);
    return dueMs !== null && dueMs <= now.getTime();
  });
  return due.map(({ name }) => name);
}

/**
 * Resolves view names in references to ids. The name of a source takes precedence.
 * @throws `source_unknown` with the nearest source or view name
 */
async function withoutViews(
  tables: TableRegistry,
  known: readonly string[],
  only: readonly string[] | undefined,
): Promise<readonly string[] | undefined> {
  if (only === undefined || only.every((reference) => known.includes(split(reference)[0]))) return only;
  const registered = await tables.list();
  const ids = new Map(registered.map(({ id, viewName: view }) => [view.toLowerCase(), id]));
  return only.map((reference) => {
    const [source, name] = split(reference);
    if (known.includes(source)) return reference;
    const id = name === undefined ? ids.get(reference.toLowerCase()) : undefined;
    if (id !== undefined) return id;
    const views = name === undefined ? registered.map(({ viewName: view }) => view) : undefined;
    throw unknownSource(source, known, views);
  });
}

/** @throws `copy_not_synced` for a source or table that a pull copied */
async function rejectPulled(
  { host, tables, workspace }: SyncServices,
  known: readonly string[],
  only: readonly string[] | undefined,
): Promise<void> {
  const others = only?.filter((reference) => !known.includes(split(reference)[0])) ?? [];
  if (others.length === 0) return;
  const state = await readCopyState(host, workspace.dataDirectory);
  if (state === null) return;
  const registered = await tables.list();
  for (const reference of others) {
    const view = reference.toLowerCase();
    const source = registered.find((table) => table.viewName.toLowerCase() === view)?.source;
    if (
      state.sources.includes(split(reference)[0]) ||
      (source !== undefined && state.sources.includes(source))
    )
      throw new AgnesError("copy_not_synced", { server: state.server, what: reference });
  }
}

/** The sources to run, each with the names of its tables or `null` for all; in the order of `agnes.yaml`. */
export function wantedSources(
  known: readonly string[],
  only: readonly string[] | undefined,
): ReadonlyMap<string, readonly string[] | null> {
  if (only === undefined || only.length === 0) return new Map(known.map((source) => [source, null]));
  const wanted = new Map<string, string[] | null>();
  for (const reference of only) {
    const [source, name] = split(reference);
    if (!known.includes(source)) throw unknownSource(source, known);
    const names = wanted.get(source);
    if (name === undefined || names === null) wanted.set(source, null);
    else wanted.set(source, [...new Set(names ?? []).add(name)]);
  }
  return new Map(known.filter((source) => wanted.has(source)).map((source) => [source, wanted.get(source)!]));
}

function split(reference: string): readonly [string, string | undefined] {
  const dot = reference.indexOf(".");
  return dot === -1 ? [reference, undefined] : [reference.slice(0, dot), reference.slice(dot + 1)];
}
