import { createHash } from "node:crypto";

import { nextDue, parseSchedule, type RegisteredTable } from "../../tables/mod.ts";
import type { TableSyncState } from "../sync-state.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** A source begins up to this long after its tables are due, so that not all workspaces call a system at once. */
const JITTER_MAX_MS = 30_000;
/** The first wait after a failure; it doubles with each one. */
const BACKOFF_MS = MINUTE_MS;
const BACKOFF_MAX_MS = 60 * MINUTE_MS;

/** A registered table and its last syncs; `state` is missing if it was never synced. */
export interface ScheduledTable {
  readonly record: Pick<RegisteredTable, "name" | "source" | "syncSchedule" | "syncPaused" | "registeredAt">;
  readonly state: Pick<TableSyncState, "succeededAt" | "attemptedAt" | "failures"> | undefined;
}

/** The next times of schedules, which are expensive to compute and needed again and again. */
export class NextTimes {
  #known = new Map<string, number>();
  #used = new Map<string, number>();

  /** The first time of a schedule after a successful sync. */
  after(schedule: string, succeededAt: Date, now: Date): number {
    const key = `${schedule} ${succeededAt.getTime()}`;
    const known = this.#used.get(key) ?? this.#known.get(key);
    const time = known ?? nextDue(parseSchedule(schedule), succeededAt, now).getTime();
    this.#used.set(key, time);
    return time;
  }

  /** Forgets what was not used since the last call. */
  forgetUnused(): void {
    this.#known = this.#used;
    this.#used = new Map();
  }
}

/**
 * The time at which a table is due next, by its schedule, in milliseconds; null if it has none or is paused. Several missed times count
 * once. After a failure the table is due again after a minute, then after two, four, at most sixty.
 */
export function dueTime({ record, state }: ScheduledTable, now: Date, times: NextTimes): number | null {
  const { syncSchedule, syncPaused, registeredAt } = record;
  if (syncSchedule === null || syncPaused) return null;
  const { succeededAt = null, attemptedAt = null, failures = 0 } = state ?? {};
  const dueMs =
    succeededAt === null || isWrong(succeededAt, now)
      ? Math.min(Date.parse(registeredAt), now.getTime())
      : times.after(syncSchedule, succeededAt, now);
  if (failures === 0 || attemptedAt === null || isWrong(attemptedAt, now)) return dueMs;
  const backoffMs = Math.min(BACKOFF_MS * 2 ** (failures - 1), BACKOFF_MAX_MS);
  return Math.max(dueMs, attemptedAt.getTime() + backoffMs);
}

/**
 * Whether a recorded time was that of a clock which was wrong. Up to a day in the future, the clock may have been set back
 * since, and the table waits, so that no time of its schedule counts twice.
 */
function isWrong(recorded: Date, now: Date): boolean {
  return recorded.getTime() > now.getTime() + DAY_MS;
}

/**
 * The tables that are due, by source; the source that has been due for longest is the first, so that each has its turn.
 * @param seed what differs between workspaces, for the delay of each source
 */
export function dueNow(
  tables: readonly ScheduledTable[],
  now: Date,
  { seed, times }: { readonly seed: string; readonly times: NextTimes },
): ReadonlyMap<string, readonly string[]> {
  const due = new Map<string, { readonly names: string[]; sinceMs: number }>();
  for (const table of tables) {
    const { source, name } = table.record;
    const dueMs = dueTime(table, now, times);
    if (dueMs === null || dueMs + jitterMs(seed, source) > now.getTime()) continue;
    const known = due.get(source);
    if (known === undefined) due.set(source, { names: [name], sinceMs: dueMs });
    else {
      known.names.push(name);
      known.sinceMs = Math.min(known.sinceMs, dueMs);
    }
  }
  times.forgetUnused();
  const sources = [...due].sort(([, one], [, other]) => one.sinceMs - other.sinceMs);
  return new Map(sources.map(([source, { names }]) => [source, names]));
}

/** The delay of a source: always the same. */
function jitterMs(seed: string, source: string): number {
  const hash = createHash("sha256").update(`${seed}\n${source}`).digest();
  return Math.floor((hash.readUInt32BE() / 2 ** 32) * JITTER_MAX_MS);
}
