import type { TablePlan } from "./plan.ts";

/** A stretch of time by the cursor column: one read of a first load. */
export interface LoadWindow {
  /** How many windows are left, with this one. */
  readonly left: number;
  /** Where it begins, inclusive. Absent: at the start of the table. */
  readonly from?: Date;
  /** Where it ends, exclusive. Absent: at the end of the table; it is the last window then. */
  readonly to?: Date;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** How far back windows go when the table says nothing: rows before come in one window. */
const UNBOUNDED_DAYS = 3650;

/** The start of the day, UTC, so many days ago. */
export function daysAgo(now: Date, days: number): Date {
  return new Date(Math.floor(now.getTime() / DAY_MS - days) * DAY_MS);
}

/**
 * The windows of a first load, oldest first; the last one has no end, because rows come while the others are read.
 *
 * @param loadedUntil where an earlier window ended, ISO 8601; absent: nothing is loaded yet
 */
export function planWindows(
  { chunkDays, historyDays }: Pick<TablePlan, "chunkDays" | "historyDays">,
  loadedUntil: string | undefined,
  now: Date,
): readonly LoadWindow[] {
  const start =
    loadedUntil === undefined ? daysAgo(now, historyDays ?? UNBOUNDED_DAYS) : new Date(loadedUntil);
  const edges = [start];
  // A table that is no longer to be loaded in windows gets the rest at once.
  const stepMs = chunkDays === undefined ? Number.POSITIVE_INFINITY : chunkDays * DAY_MS;
  const endMs = daysAgo(now, 0).getTime();
  for (let ms = start.getTime() + stepMs; ms < endMs; ms += stepMs) edges.push(new Date(ms));
  const windows = edges.map((from, at) => ({ from, ...(edges[at + 1] && { to: edges[at + 1]! }) }));
  const isUnbounded = loadedUntil === undefined && historyDays === undefined;
  const all = isUnbounded ? [{ to: start }, ...windows] : windows;
  return all.map((window, at) => ({ left: all.length - at, ...window }));
}
