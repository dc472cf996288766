import { basename } from "node:path";

import { throwIfAborted, type AgnesError } from "../base/mod.ts";
import {
  changeExtract,
  type ChangedTable,
  type ChangedTables,
  type ChangingExtract,
  type ExtractServices,
  type ExtractSource,
  type ExtractState,
  type TablePlan,
} from "../extract/mod.ts";
import type { Change, PushEvent } from "../kit/mod.ts";
import { collectChanges, freshEvents } from "./events.ts";
import {
  countFailure,
  failedMerges,
  FAILED_MERGES_MAX,
  forgetFailures,
  quarantineEvents,
} from "./failed-merges.ts";
import { mergeApart } from "./merge-apart.ts";
import { isInWindow, readWindow, requestRead, type ReadWindow } from "./read-window.ts";
import { newestSpooled, readSpool, sweepSpool, trimSpool, type SpooledEvents } from "./spool.ts";

/** Options of `runStream`. */
export interface StreamRequest {
  /** The folder of the extract. */
  readonly directory: string;
  readonly source: ExtractSource;
  /** The id of the run, which is published with the generations. Default: a random one for each. */
  readonly runId?: string;
  /** The tables to change; each needs a primary key. Changes of other tables are ignored. */
  readonly tables: readonly TablePlan[];
  /** Maximum number of events to merge at once. Default: 10,000. */
  readonly eventsMax?: number;
  /**
   * Number of ids of merged events to remember, to detect replays. All ids of the last merge are remembered even if they
   * are more. An older event that is replayed applies again. Default: 20,000.
   */
  readonly idsKept?: number;
  readonly partRows?: number;
  /** Receives the totals after each publish, also those of a run that fails later. */
  readonly onMerged?: (stats: StreamStats) => void;
  readonly signal?: AbortSignal;
}

/** The result of `runStream`. */
export interface StreamStats {
  /** Events merged, without replayed and superseded ones. */
  readonly events: number;
  /** Events that a later one of the same `orderingKey` superseded. */
  readonly superseded: number;
  /** Events that were already merged. */
  readonly replayed: number;
  /** Events that failed in each of the last merges, and are in `quarantine/spool` now. */
  readonly eventsQuarantined: number;
  readonly upserts: number;
  readonly deletes: number;
  /** Changes quarantined because a value was invalid or the key was null; see `TablePlan.quarantine`. */
  readonly rowsQuarantined: number;
  readonly partsWritten: number;
  /** The last published generation; null if there is none. */
  readonly generation: number | null;
  /** Published generations. Events that change nothing are published too, with their ids. */
  readonly published: number;
  readonly errors: readonly { readonly table: string; readonly error: AgnesError }[];
  /** The tables that were changed. */
  readonly tables: readonly StreamedTable[];
}

/** The figures of one table; see `StreamStats`. */
export type StreamedTable = { readonly name: string } & Omit<ChangedTable, "table">;

const EVENTS_MAX = 10_000;
const IDS_KEPT = 20_000;
const NOTHING: StreamStats = {
  events: 0,
  superseded: 0,
  replayed: 0,
  eventsQuarantined: 0,
  upserts: 0,
  deletes: 0,
  rowsQuarantined: 0,
  partsWritten: 0,
  generation: null,
  published: 0,
  errors: [],
  tables: [],
};

/**
 * Merges all events of a source that are spooled when it starts into its tables and publishes them.
 *
 * The ids of the merged events are published with the rows before the spool is trimmed, so a crash in between merges
 * nothing twice, and a rollback also forgets the ids of the rows that it removes. This is why events that change nothing
 * are published too. If a table cannot apply its changes, the events stay spooled. After ten such merges, the events are
 * merged apart, and those that fail although others do not are quarantined.
 *
 * A deletion without a version that arrived while its table was read may remove a row that the read has created again. Such
 * a table is recorded as one to read in full; see `readWindow`.
 *
 * @throws `locked`, `extract_unreadable`, `aborted`, and errors of the connector's `stream`; the spool is then unchanged
 */
export async function runStream(services: ExtractServices, request: StreamRequest): Promise<StreamStats> {
  const { host, log } = services;
  const { source, runId, partRows, eventsMax = EVENTS_MAX } = request;
  const signal = request.signal ?? new AbortController().signal;
  return changeExtract(
    services,
    { directory: request.directory, source, runId, partRows, signal },
    async (extract) => {
      await sweepSpool(host, extract.directory);
      // Otherwise a merge would never end while events arrive faster than they are merged.
      const newest = await newestSpooled(host, extract.directory);
      let total: StreamStats = { ...NOTHING, generation: numberOf(await extract.read()) };
      for (;;) {
        throwIfAborted(signal, "merging the events");
        const spooled = await readSpool(host, log, extract.directory, eventsMax, newest ?? "");
        if (spooled.length === 0) return total;
        const done = await mergeBatch(services, { ...request, signal }, extract, spooled);
        total = add(total, done);
        request.onMerged?.(total);
        if (done.errors.length > 0) return total;
        await trimSpool(host, log, spooled);
        await forgetFailures(host, extract.directory);
      }
    },
  );
}

type BatchRequest = StreamRequest & { readonly signal: AbortSignal };

/** Merges events, and counts a failure. Events that failed too often are merged apart. */
async function mergeBatch(
  services: ExtractServices,
  request: BatchRequest,
  extract: ChangingExtract,
  spooled: readonly SpooledEvents[],
): Promise<StreamStats> {
  const { host, log } = services;
  const { directory } = extract;
  const { path } = spooled[0]!;
  const merge = (files: readonly SpooledEvents[]) => mergeSpooled(services, request, extract, files);
  try {
    if ((await failedMerges(host, directory, path)) < FAILED_MERGES_MAX) {
      const done = await merge(spooled);
      const [failed] = done.errors;
      if (failed !== undefined) await countFailure(host, directory, { path, error: failed.error });
      return done;
    }
    const apart = await mergeApart(spooled, merge);
    if (apart === null) return await merge(spooled);
    const { merged, failed } = apart;
    let eventsQuarantined = 0;
    for (const { files, error } of failed) {
      const events = files.flatMap((file) => file.events);
      await quarantineEvents(host, directory, { path: files[0]!.path, events, code: error.code });
      log.error("events that could not be merged were moved to quarantine/spool", {
        ids: events.map(({ id }) => id),
        error,
      });
      eventsQuarantined += events.length;
    }
    return {
      ...merged.reduce(add, { ...NOTHING, generation: numberOf(await extract.read()) }),
      eventsQuarantined,
    };
  } catch (error) {
    await countFailure(host, directory, { path, error });
    throw error;
  }
}

async function mergeSpooled(
  { host, log }: ExtractServices,
  { source, tables, idsKept = IDS_KEPT, signal }: BatchRequest,
  extract: ChangingExtract,
  spooled: readonly SpooledEvents[],
): Promise<StreamStats> {
  const previous = await extract.read();
  const all = spooled.flatMap((file) => file.events);
  const { fresh, superseded, remember } = freshEvents(previous?.eventIds ?? [], all, idsKept);
  const nothing = {
    ...NOTHING,
    replayed: all.length - fresh.length - superseded,
    generation: numberOf(previous),
  };
  if (fresh.length === 0) return nothing;
  // Several tables may have the rows of one table of the source.
  const infos = [...new Map(tables.map(({ info }) => [info.name, info])).values()];
  const window = await readWindow(host, extract.directory);
  const recent = new Set(
    spooled.filter(({ path }) => isInWindow(window, basename(path))).flatMap(({ events }) => events),
  );
  const changes = new Map<string, readonly Change[]>();
  const again = new Set<string>();
  for (const { events, isRecent } of partsOf(fresh, recent)) {
    const collected = await collectChanges(source.connector, source.name, events, infos, signal);
    for (const [table, list] of collected) {
      changes.set(table, [...(changes.get(table) ?? []), ...list]);
      if (isRecent && mayRemoveNewer(table, list, { window, tables })) again.add(table);
    }
  }
  // Before the rows are removed, so that a crash does not lose it.
  if (again.size > 0) await requestRead(host, extract.directory, [...again]);
  const changed = await extract.publish(previous, {
    tables: tables.flatMap((plan) => {
      const list = changes.get(plan.info.name);
      return list === undefined ? [] : [{ plan, changes: list }];
    }),
    eventIds: remember,
  });
  if (changed.kind === "failed") {
    const { table, error } = changed;
    log.error("a table could not apply its changes; the events stay spooled", { table, error });
    return { ...nothing, errors: [{ table, error }] };
  }
  return { ...nothing, ...countsOf(changed), events: fresh.length, superseded, published: 1 };
}

/** Consecutive events that did, or did not, arrive during the last read. */
function partsOf(
  events: readonly PushEvent[],
  recent: ReadonlySet<PushEvent>,
): readonly { readonly events: readonly PushEvent[]; readonly isRecent: boolean }[] {
  const parts: { events: PushEvent[]; isRecent: boolean }[] = [];
  for (const event of events) {
    const isRecent = recent.has(event);
    if (parts.at(-1)?.isRecent === isRecent) parts.at(-1)!.events.push(event);
    else parts.push({ events: [event], isRecent });
  }
  return parts;
}

/** Whether changes from the time of a read may remove rows that the read returned, and that a later one would not return. */
function mayRemoveNewer(
  table: string,
  changes: readonly Change[],
  { window, tables }: { readonly window: ReadWindow; readonly tables: readonly TablePlan[] },
): boolean {
  if (window.tables?.includes(table) === false) return false;
  const plans = tables.filter(({ info, strategy }) => info.name === table && strategy !== "full_refresh");
  return plans.some(({ cursor }) =>
    changes.some((change) => {
      if (change.kind === "upsert") return false;
      return change.kind === "replace" || cursor === undefined || change.key[cursor] == null;
    }),
  );
}

function countsOf({
  generation,
  tables,
}: Extract<ChangedTables, { kind: "published" }>): Pick<
  StreamStats,
  "upserts" | "deletes" | "rowsQuarantined" | "partsWritten" | "generation" | "tables"
> {
  return {
    tables: tables.map(({ table: { name }, ...figures }) => ({ name, ...figures })),
    upserts: tables.reduce((sum, table) => sum + table.upserts, 0),
    deletes: tables.reduce((sum, table) => sum + table.deletes, 0),
    rowsQuarantined: tables.reduce((sum, table) => sum + table.rowsQuarantined, 0),
    partsWritten: tables.reduce((sum, table) => sum + table.partsWritten, 0),
    generation,
  };
}

function numberOf(state: ExtractState | null): number | null {
  return state?.generation.number ?? null;
}

function add(a: StreamStats, b: StreamStats): StreamStats {
  return {
    events: a.events + b.events,
    superseded: a.superseded + b.superseded,
    replayed: a.replayed + b.replayed,
    eventsQuarantined: a.eventsQuarantined + b.eventsQuarantined,
    upserts: a.upserts + b.upserts,
    deletes: a.deletes + b.deletes,
    rowsQuarantined: a.rowsQuarantined + b.rowsQuarantined,
    partsWritten: a.partsWritten + b.partsWritten,
    generation: b.generation,
    published: a.published + b.published,
    errors: [...a.errors, ...b.errors],
    tables: [...b.tables].reduce(withTable, a.tables),
  };
}

function withTable(tables: readonly StreamedTable[], one: StreamedTable): readonly StreamedTable[] {
  const before = tables.find(({ name }) => name === one.name);
  if (before === undefined) return [...tables, one];
  const sum: StreamedTable = {
    name: one.name,
    upserts: before.upserts + one.upserts,
    deletes: before.deletes + one.deletes,
    rowsQuarantined: before.rowsQuarantined + one.rowsQuarantined,
    partsWritten: before.partsWritten + one.partsWritten,
    schemaChanges: [...before.schemaChanges, ...one.schemaChanges],
    notes: [...new Set([...before.notes, ...one.notes])],
  };
  return tables.map((table) => (table === before ? sum : table));
}
