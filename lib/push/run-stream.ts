import { throwIfAborted, type AgnesError } from "../base/mod.ts";
import {
  changeExtract,
  checkPlan,
  type ChangedTables,
  type ChangingExtract,
  type ExtractServices,
  type ExtractSource,
  type ExtractState,
  type TablePlan,
} from "../extract/mod.ts";
import { collectChanges, freshEvents } from "./events.ts";
import { readSpool, sweepSpool, trimSpool, type SpooledEvents } from "./spool.ts";

/** Options of `runStream`. */
export interface StreamRequest {
  /** The folder of the extract. */
  readonly directory: string;
  readonly source: ExtractSource;
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
}

const EVENTS_MAX = 10_000;
const IDS_KEPT = 20_000;
const NOTHING: StreamStats = {
  events: 0,
  superseded: 0,
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
 * Merges all spooled events of a source into its tables and publishes them.
 *
 * The ids of the merged events are published with the rows before the spool is trimmed, so a crash in between merges
 * nothing twice, and a rollback also forgets the ids of the rows that it removes. This is why events that change nothing
 * are published too. If a table cannot apply its changes, the events stay spooled.
 *
 * @throws `locked`, `extract_unreadable`, `aborted`, and errors of the connector's `stream`
 */
export async function runStream(services: ExtractServices, request: StreamRequest): Promise<StreamStats> {
  const { host, log } = services;
  const { source, partRows, eventsMax = EVENTS_MAX } = request;
  const signal = request.signal ?? new AbortController().signal;
  for (const plan of request.tables) checkPlan(plan);
  return changeExtract(
    services,
    { directory: request.directory, source, partRows, signal },
    async (extract) => {
      await sweepSpool(host, extract.directory);
      let total: StreamStats = { ...NOTHING, generation: numberOf(await extract.read()) };
      for (;;) {
        throwIfAborted(signal, "merging the events");
        const spooled = await readSpool(host, log, extract.directory, eventsMax);
        if (spooled.length === 0) return total;
        const done = await mergeSpooled(services, { ...request, signal }, extract, spooled);
        total = add(total, done);
        if (done.errors.length > 0) return total;
        await trimSpool(host, log, spooled);
      }
    },
  );
}

async function mergeSpooled(
  { log }: ExtractServices,
  { source, tables, idsKept = IDS_KEPT, signal }: StreamRequest & { readonly signal: AbortSignal },
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
  const infos = tables.map((plan) => plan.info);
  const changes = await collectChanges(source.connector, source.name, fresh, infos, signal);
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

function countsOf({
  generation,
  tables,
}: Extract<ChangedTables, { kind: "published" }>): Pick<
  StreamStats,
  "upserts" | "deletes" | "rowsQuarantined" | "partsWritten" | "generation"
> {
  return {
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
    upserts: a.upserts + b.upserts,
    deletes: a.deletes + b.deletes,
    rowsQuarantined: a.rowsQuarantined + b.rowsQuarantined,
    partsWritten: a.partsWritten + b.partsWritten,
    generation: b.generation,
    published: a.published + b.published,
    errors: [...a.errors, ...b.errors],
  };
}
