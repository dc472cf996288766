import { counted, isAgnesError, type AgnesError } from "../base/mod.ts";
import { readExtract } from "../extract/mod.ts";
import type { TableInfo } from "../kit/mod.ts";
import {
  hasSpooled,
  quarantineDirectory,
  readWindow,
  runStream,
  spoolCounts,
  type StreamedTable,
  type StreamStats,
} from "../push/mod.ts";
import type { SourceHandle } from "../sources/mod.ts";
import { dataPaths } from "../workspace/mod.ts";
import { planEvents } from "./plan-events.ts";
import type { SyncServices } from "./services.ts";

/** What became of the events that waited on disk. */
export interface EventsReport {
  /** Merged events, without replayed and superseded ones. */
  readonly merged: number;
  /** Events that were merged before. They change nothing. */
  readonly replayed: number;
  /** Events that a later one of the same `orderingKey` superseded. */
  readonly superseded: number;
  /** Events that could not be merged for a long time, and were moved out of the way of the others. */
  readonly quarantined: number;
  /** Events on disk: those that could not be merged, and those that arrived since; null: unknown. */
  readonly waiting: number | null;
  /** The changed tables, including those that the sync did not request. */
  readonly tables: readonly StreamedTable[];
}

/** The result of merging the events of a source. */
export interface MergedEvents {
  readonly report: EventsReport;
  /** The source's names of tables to read in full; see `runStream`. */
  readonly again: readonly string[];
  readonly notes: readonly string[];
  /** Whether a generation was published. */
  readonly published: boolean;
  /** Tables that could not apply their changes; all events since then wait. */
  readonly errors: StreamStats["errors"];
  /** The error of the whole merge; the events wait. */
  readonly error?: AgnesError;
  readonly elapsedMs: number;
}

/**
 * Merges the waiting events of a source into its tables, before they are read. Returns null if the connector receives no
 * events.
 *
 * An event that arrived before a read begins is older than the rows that the read returns. In this order, the later
 * observation is applied last, also in tables without versions: a full read replaces all rows, and an incremental read
 * yields the rows of the events again, because events do not move its cursor. In the other order, an event from before the
 * read could replace a newer row, or delete one that was created again. Events that arrive during a read wait for the next
 * sync; `again` has the tables in which they may have deleted such rows.
 *
 * All registered tables receive their changes, whichever were requested, because merged events are gone.
 *
 * @throws `aborted`, `timed_out`
 */
export async function mergeEvents(
  services: SyncServices,
  handle: SourceHandle,
  {
    runId,
    discovered,
    signal,
  }: {
    readonly runId: string;
    readonly discovered: readonly TableInfo[] | null;
    readonly signal: AbortSignal;
  },
): Promise<MergedEvents | null> {
  if (handle.connector.stream === undefined) return null;
  const { host, log, limits, tables, workspace } = services;
  const directory = dataPaths.extract(workspace.dataDirectory, handle.name);
  const startedMs = host.monotonicMs();
  let stats: StreamStats | null = null;
  let failure: { readonly error: AgnesError } | undefined;
  if (await hasSpooled(host, directory)) {
    try {
      const published = await readExtract(host.files, directory);
      const plans = planEvents(await tables.list({ source: handle.name }), {
        discovered,
        handle,
        published,
        now: host.now(),
      });
      const onMerged = (merged: StreamStats) => void (stats = merged);
      const request = { directory, source: handle, runId, tables: plans, onMerged, signal };
      stats = await runStream({ host, log, limits }, request);
    } catch (error) {
      if (!isAgnesError(error) || signal.aborted) throw error;
      log.error("the events were not merged; they stay on disk", { path: directory, error });
      failure = { error };
    }
  }
  const counts = await spoolCounts(host, directory).catch(() => null);
  const elapsedMs = Math.round(host.monotonicMs() - startedMs);
  const result = resultOf(stats, counts?.events ?? null);
  const { again } = await readWindow(host, directory);
  return { ...result, ...failure, again, notes: notesOf(result.report, directory), elapsedMs };
}

function notesOf({ quarantined }: EventsReport, directory: string): readonly string[] {
  if (quarantined === 0) return [];
  return [
    `${counted(quarantined, "event")} could not be merged in each of the last syncs and ${quarantined === 1 ? "was" : "were"} ` +
      `moved to ${quarantineDirectory(directory)}: correct the cause, then move the files to the folder spool to merge them`,
  ];
}

function resultOf(
  stats: StreamStats | null,
  waiting: number | null,
): Pick<MergedEvents, "report" | "published" | "errors"> {
  const {
    events: merged = 0,
    replayed = 0,
    superseded = 0,
    eventsQuarantined: quarantined = 0,
    tables = [],
    published = 0,
    errors = [],
  } = stats ?? {};
  const report = { merged, replayed, superseded, quarantined, waiting, tables };
  return { report, published: published > 0, errors };
}
