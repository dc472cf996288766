import { randomUUID } from "node:crypto";
import { resolve } from "node:path";

import { isAgnesError, throwIfAborted, type AgnesError, redactThrown } from "../../base/mod.ts";
import { acquireLock, openDatabase, type Database } from "../../duckdb/mod.ts";
import type { Change } from "../../kit/mod.ts";
import { checkPlan, type TablePlan } from "../plan.ts";
import { lockPath } from "../publish/paths.ts";
import { dropOldGenerations, publish } from "../publish/publish.ts";
import { sweepParts, sweepTemporary } from "../publish/sweep.ts";
import type { ExtractServices, ExtractSource, TableContext } from "../services.ts";
import { findTable, type ExtractState } from "../state/extract-state.ts";
import { readExtract } from "../state/read-extract.ts";
import { applyChanges, type ChangedTable } from "./apply-changes.ts";
import { changesWithKeys, collectChanges, freshEvents, lastChanges } from "./collect.ts";
import { quarantineOf } from "../write/quarantine.ts";
import { readSpool, sweepSpool, trimSpool, type SpooledEvents } from "./spool.ts";

/** What `runStream` is asked to do. */
export interface StreamRequest {
  /** The folder of the extract. */
  readonly directory: string;
  readonly source: ExtractSource;
  /** The tables that take changes; each needs a primary key. Changes of other tables are left out. */
  readonly tables: readonly TablePlan[];
  /** How many events are merged at once. Default 10,000. */
  readonly eventsMax?: number;
  /** How many ids of merged events are remembered, to know a replay. Default 20,000. */
  readonly idsKept?: number;
  readonly partRows?: number;
  readonly signal?: AbortSignal;
}

/** What became of the spooled events. */
export interface StreamStats {
  /** Events merged, without replays. */
  readonly events: number;
  /** Events that had been merged before. */
  readonly replayed: number;
  readonly upserts: number;
  readonly deletes: number;
  /** Changes set aside because a value did not fit or the key had none; see `TablePlan.quarantine`. */
  readonly rowsQuarantined: number;
  readonly partsWritten: number;
  /** The generation published last; null when nothing ever was. */
  readonly generation: number | null;
  readonly published: number;
  readonly errors: readonly { readonly table: string; readonly error: AgnesError }[];
}

type BoundedRequest = StreamRequest & { readonly signal: AbortSignal };

const EVENTS_MAX = 10_000;
const IDS_KEPT = 20_000;
const PART_ROWS = 250_000;
const NOTHING: StreamStats = {
  events: 0,
  replayed: 0,
  upserts: 0,
  deletes: 0,
  rowsQuarantined: 0,
  partsWritten: 0,
  generation: null,
  published: 0,
  errors: [],
};

/**
 * Merges all spooled events of a source into its tables, and publishes them.
 *
 * The ids of the merged events are published with the rows, and the spool is trimmed after that: a process that dies
 * in between merges nothing twice. When a table cannot take its changes the events stay spooled.
 *
 * @throws `locked`, `extract_unreadable`, `aborted`, and what the connector's `stream` threw
 */
export async function runStream(services: ExtractServices, request: StreamRequest): Promise<StreamStats> {
  const directory = resolve(request.directory);
  const signal = request.signal ?? new AbortController().signal;
  for (const plan of request.tables) checkPlan(plan);
  await services.host.files.makeDirectory(directory);
  await using _lock = await acquireLock(lockPath(directory), `the extract of source ${request.source.name}`);
  await sweepTemporary(services.host, directory);
  await sweepSpool(services.host, directory);
  await using database = await openDatabase({ limits: services.limits });
  const bounded = { ...request, directory, signal };
  let total: StreamStats = { ...NOTHING, generation: numberOf(await readExtract(directory)) };
  for (;;) {
    throwIfAborted(signal, "merging the events");
    const spooled = await readSpool(services.host, services.log, directory, request.eventsMax ?? EVENTS_MAX);
    if (spooled.length === 0) break;
    const done = await mergeSpooled(services, bounded, database, spooled);
    total = add(total, done);
    if (done.errors.length > 0) break;
    await trimSpool(services.host, services.log, spooled);
  }
  const state = total.published > 0 ? await readExtract(directory) : null;
  if (state !== null) {
    await dropOldGenerations(services.host, directory, state.generation.number);
    await sweepParts(services, state);
  }
  return total;
}

async function mergeSpooled(
  services: ExtractServices,
  request: BoundedRequest,
  database: Database,
  spooled: readonly SpooledEvents[],
): Promise<StreamStats> {
  const { directory, source, tables, signal } = request;
  const startedAt = services.host.now();
  const previous = await readExtract(directory);
  const all = spooled.flatMap((file) => file.events);
  const { fresh, remember } = freshEvents(previous?.eventIds ?? [], all, request.idsKept ?? IDS_KEPT);
  const nothing = { ...NOTHING, replayed: all.length - fresh.length, generation: numberOf(previous) };
  if (fresh.length === 0) return nothing;
  const infos = tables.map((plan) => plan.info);
  const changes = await collectChanges(source.connector, source.name, fresh, infos, signal);
  const number = (numberOf(previous) ?? 0) + 1;
  const merge = { services, request, database, previous, runId: randomUUID(), number };
  const changed: ChangedTable[] = [];
  for (const plan of tables) {
    const list = changes.get(plan.info.name);
    if (list === undefined) continue;
    try {
      changed.push(await changeTable(merge, plan, list));
    } catch (thrown) {
      const error = redactThrown(thrown, source.secrets ?? []);
      if (!isAgnesError(error) || signal.aborted) throw error;
      services.log.error("a table could not take its changes; the events stay spooled", {
        table: plan.name,
        error,
      });
      // Publishing the other tables would remember the events as merged.
      return { ...nothing, errors: [{ table: plan.name, error }] };
    }
  }
  const state = nextState(merge, changed, startedAt, remember);
  const verify = new Set(changed.map(({ table }) => table.name));
  await publish(services, state, { previous: numberOf(previous), verify, signal });
  return {
    ...nothing,
    events: fresh.length,
    upserts: changed.reduce((sum, one) => sum + one.upserts, 0),
    deletes: changed.reduce((sum, one) => sum + one.deletes, 0),
    rowsQuarantined: changed.reduce((sum, one) => sum + one.rowsQuarantined, 0),
    partsWritten: changed.reduce((sum, one) => sum + one.partsWritten, 0),
    generation: number,
    published: 1,
  };
}

interface Merge {
  readonly services: ExtractServices;
  readonly request: BoundedRequest;
  readonly database: Database;
  readonly previous: ExtractState | null;
  readonly runId: string;
  readonly number: number;
}

async function changeTable(merge: Merge, plan: TablePlan, changes: readonly Change[]): Promise<ChangedTable> {
  const { services, request, database, previous, runId, number } = merge;
  const context: TableContext = {
    services,
    database,
    directory: request.directory,
    runId,
    generation: number,
    source: request.source,
    plan,
    original: plan,
    previous: findTable(previous, plan.name),
    full: false,
    idleTimeoutMs: Number.MAX_SAFE_INTEGER,
    partRows: request.partRows ?? PART_ROWS,
    signal: request.signal,
    onRead: () => {},
    onBytesRead: () => {},
    onReadProgress: () => {},
    onPhase: () => {},
  };
  const quarantine = quarantineOf(context);
  try {
    const keyed = changesWithKeys(plan, changes, quarantine);
    return await applyChanges(context, lastChanges(keyed, plan.primaryKey, plan.cursor), quarantine);
  } finally {
    await quarantine?.finish();
  }
}

function nextState(
  { services, request, previous, runId, number }: Merge,
  changed: readonly ChangedTable[],
  startedAt: Date,
  eventIds: readonly string[],
): ExtractState {
  const { directory, source } = request;
  const names = new Set(changed.map(({ table }) => table.name.toLowerCase()));
  const others = (previous?.tables ?? []).filter((table) => !names.has(table.name.toLowerCase()));
  return {
    directory,
    generation: {
      number,
      runId,
      kind: "stream",
      plugin: source.plugin.name,
      pluginVersion: source.plugin.version,
      startedAt,
      finishedAt: services.host.now(),
      directory,
    },
    tables: [...others, ...changed.map(({ table }) => table)].sort((a, b) => (a.name < b.name ? -1 : 1)),
    remotes: previous?.remotes ?? [],
    eventIds,
  };
}

function numberOf(state: ExtractState | null): number | null {
  return state?.generation.number ?? null;
}

function add(a: StreamStats, b: StreamStats): StreamStats {
  return {
    events: a.events + b.events,
    replayed: a.replayed + b.replayed,
    upserts: a.upserts + b.upserts,
    deletes: a.deletes + b.deletes,
    rowsQuarantined: a.rowsQuarantined + b.rowsQuarantined,
    partsWritten: a.partsWritten + b.partsWritten,
    generation: b.generation,
    published: a.published + b.published,
    errors: [...a.errors, ...b.errors],
  };
}
