import type { Host } from "../base/mod.ts";
import type { RegisteredTable, TableRegistry } from "../tables/mod.ts";
import type { Runs } from "./runs/runs.ts";
import type { Run, RunError, TableProgress } from "./runs/types.ts";
import { dueTime, NextTimes } from "./schedule/due.ts";
import type { SyncState, TableSyncState } from "./sync-state.ts";

/**
 * The state of a synced table in one word.
 *
 * - `running`: a run of its source reads it now.
 * - `failed`: its last sync failed; the published data is that of the last successful one.
 * - `paused`: it is synced only if it is named; its schedule waits.
 * - `new`: it was never synced and has no schedule.
 * - `on_time`: its last sync succeeded and it is not due.
 * - `queued`: it is due, and waits for a sync.
 * - `late`: it was due more than 15 minutes ago.
 */
export type TableStatus = (typeof tableStatuses)[number];

/** The values of `TableStatus`. */
export const tableStatuses = ["running", "paused", "failed", "new", "on_time", "queued", "late"] as const;

/** The state of the syncs of one table. */
export interface TableSyncStatus {
  /** `source.table`. */
  readonly id: string;
  readonly viewName: string;
  readonly source: string;
  readonly status: TableStatus;
  /** When it is synced, such as `every 6h`; null: only on request. */
  readonly schedule: string | null;
  /** When it is or was due; null without a schedule, and while it is paused. */
  readonly dueAt: Date | null;
  /** The start of the last sync, and of the last successful one; null if there was none. */
  readonly attemptedAt: Date | null;
  readonly succeededAt: Date | null;
  /** Failed syncs since the last successful one. */
  readonly failures: number;
  /** The error of the last sync; null if it succeeded. */
  readonly error: RunError | null;
  /** The run that reads it now, otherwise that of the last sync; null if there was none. */
  readonly runId: string | null;
  /** The progress of the current run; null if none reads the table, or it has not begun with it. */
  readonly progress: TableProgress | null;
}

/** How long a table may wait for its sync before it is late. */
const GRACE_MS = 15 * 60_000;

const NEVER: TableSyncState = {
  succeededAt: null,
  attemptedAt: null,
  recordedAt: null,
  runId: null,
  failures: 0,
  error: null,
};

/** The state of each synced table. @param access the ids of the tables to include; null: all */
export async function syncStatus(
  services: {
    readonly host: Host;
    readonly tables: TableRegistry;
    readonly state: SyncState;
    readonly runs: Runs;
  },
  access: ReadonlySet<string> | null,
): Promise<readonly TableSyncStatus[]> {
  const { host, tables, state, runs } = services;
  const records = (await tables.list()).filter(
    ({ id, queryMode }) => queryMode !== "remote" && (access === null || access.has(id)),
  );
  const running = await runs.running();
  const sources = [...new Set(records.map(({ source }) => source))];
  const states = new Map(
    await Promise.all(
      sources.map(async (source) => {
        const own = records.filter((record) => record.source === source);
        return [source, await state.ofRegistered(source, own)] as const;
      }),
    ),
  );
  const now = host.now();
  const times = new NextTimes();
  return records.map((record) => {
    const last = states.get(record.source)!.get(record.name) ?? NEVER;
    const run = running.get(record.source);
    const reads =
      run !== undefined &&
      (run.requested === null ? !record.syncPaused : run.requested.includes(record.name));
    return statusOf(record, last, {
      now,
      times,
      run: reads ? run : null,
      progress: reads ? (run.progress.find(({ table }) => table === record.name) ?? null) : null,
    });
  });
}

function statusOf(
  record: RegisteredTable,
  state: TableSyncState,
  of: {
    readonly now: Date;
    readonly times: NextTimes;
    readonly run: Run | null;
    readonly progress: TableProgress | null;
  },
): TableSyncStatus {
  const { id, viewName, source, syncSchedule: schedule } = record;
  const { now, times, run, progress } = of;
  const dueMs = dueTime({ record, state }, now, times);
  const dueAt = dueMs === null ? null : new Date(dueMs);
  return {
    id,
    viewName,
    source,
    status: run !== null ? "running" : record.syncPaused ? "paused" : wordOf(state, dueAt, now),
    schedule,
    dueAt,
    attemptedAt: state.attemptedAt,
    succeededAt: state.succeededAt,
    failures: state.failures,
    error: state.error,
    runId: run?.id ?? state.runId,
    progress,
  };
}

function wordOf({ failures, succeededAt }: TableSyncState, dueAt: Date | null, now: Date): TableStatus {
  if (failures > 0) return "failed";
  if (dueAt === null) return succeededAt === null ? "new" : "on_time";
  const overdueMs = now.getTime() - dueAt.getTime();
  if (overdueMs < 0) return "on_time";
  return overdueMs <= GRACE_MS ? "queued" : "late";
}
