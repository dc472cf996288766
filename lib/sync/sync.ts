import { rebuild, Rebuilds } from "../analytics/mod.ts";
import { counted, eachOf, throwIfAborted } from "../base/mod.ts";
import type { ExtractProgress } from "../extract/mod.ts";
import { unknownSource } from "../sources/mod.ts";
import { isDue, parseSchedule, type TableRegistry } from "../tables/mod.ts";
import { registrationOrder, type RegistrationTurn } from "./registration-order.ts";
import { statusOf, type SourceReport, type SyncReport } from "./report.ts";
import type { SyncServices } from "./services.ts";
import { syncSource, wantedRecords } from "./source.ts";
import type { SyncState } from "./sync-state.ts";

/** The options of a sync. */
export interface SyncOptions {
  /** Sources, or tables as `source.name` or by their view names. Default: all sources. */
  readonly only?: readonly string[];
  /** Reads all rows again instead of new ones. Default: `false`. */
  readonly full?: boolean;
  /** Syncs only tables that are due by their schedule. Tables without a schedule are never due. Default: `false`. */
  readonly due?: boolean;
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
  services: SyncServices & { readonly state: SyncState },
  options: SyncOptions = {},
): Promise<SyncReport> {
  const { signal, onSource, concurrency = services.workspace.config.limits.sourcesAtOnce } = options;
  const known = Object.keys(services.workspace.config.sources);
  const wanted = [...wantedSources(known, await withoutViews(services.tables, known, options.only))];
  const names = wanted.map(([source]) => source);
  const turnOf = registrationOrder(services.host, names);
  const rebuilds = new Rebuilds(() => rebuild(services, { signal }), services.log);
  let left = wanted.length;
  const run = async ([source, requested]: (typeof wanted)[number]) => {
    const registration = turnOf(source);
    try {
      throwIfAborted(signal, "the sync");
      const report = await runSource(services, options, { source, requested, registration });
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
  const analytics = await rebuild(services, { signal });
  const notes = options.only === undefined && options.due !== true ? await unconfigured(services, known) : [];
  return { status: statusOf(sources), sources, notes, analytics };
}

/** A note for each source with registered tables that is not in `agnes.yaml`. */
async function unconfigured({ tables }: SyncServices, known: readonly string[]): Promise<readonly string[]> {
  const left = (await tables.list()).filter(({ source }) => !known.includes(source));
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
  services: SyncServices & { readonly state: SyncState },
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
  const began = services.host.now();
  const report = await syncSource(services, {
    source,
    only,
    full: options.full ?? false,
    signal: options.signal,
    registration,
    onProgress: onProgress && ((progress) => onProgress({ ...progress, source })),
  });
  if (report.stats !== undefined) await services.state.record(source, began, report.stats.tables);
  return report;
}

/** The names of the requested tables of a source that are due by their schedule. */
async function dueTables(
  { host, state, tables }: SyncServices & { readonly state: SyncState },
  source: string,
  requested: readonly string[] | null,
): Promise<readonly string[]> {
  const records = await wantedRecords(tables, source, requested);
  if (records.every(({ syncSchedule }) => syncSchedule === null)) return [];
  const succeeded = await state.succeeded(source);
  const now = host.now();
  const due = records.filter(({ name, registeredAt, syncSchedule: schedule }) => {
    const last = succeeded.get(name) ?? null;
    // A table that was unregistered and registered again starts from scratch.
    const isEarlier = last !== null && last.getTime() < Date.parse(registeredAt);
    return schedule !== null && isDue(parseSchedule(schedule), isEarlier ? null : last, now);
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
    else wanted.set(source, [...(names ?? []), name]);
  }
  return new Map(known.filter((source) => wanted.has(source)).map((source) => [source, wanted.get(source)!]));
}

function split(reference: string): readonly [string, string | undefined] {
  const dot = reference.indexOf(".");
  return dot === -1 ? [reference, undefined] : [reference.slice(0, dot), reference.slice(dot + 1)];
}
