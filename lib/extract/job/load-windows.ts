import type { TablePlan } from "./plan.ts";

/** A time range that one read of a first load covers. */
export interface LoadWindow {
  /** Whether it is a range of the times at which rows changed last. Default: it is one of the cursor column. */
  readonly byChanges?: true;
  /** Number of remaining windows, including this one. */
  readonly left: number;
  /** The start, inclusive. Default: the start of the table. */
  readonly from?: Date;
  /** The end, exclusive. Absent in the last window, which is open-ended. */
  readonly to?: Date;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** Without `historyDays`, older rows than this are loaded in one window. */
const UNBOUNDED_DAYS = 3650;

/** The start of the UTC day that was `days` ago. */
export function daysAgo(now: Date, days: number): Date {
  return new Date(Math.floor(now.getTime() / DAY_MS - days) * DAY_MS);
}

/**
 * Plans the windows of a first load, oldest first. The last one is open-ended, to include rows that arrive during the
 * load.
 *
 * @param loadedUntil the end of the last loaded window, ISO 8601; absent if nothing is loaded yet
 */
export function planWindows(
  { chunkDays, historyDays }: Pick<TablePlan, "chunkDays" | "historyDays">,
  loadedUntil: string | undefined,
  now: Date,
): readonly LoadWindow[] {
  const start =
    loadedUntil === undefined ? daysAgo(now, historyDays ?? UNBOUNDED_DAYS) : new Date(loadedUntil);
  const edges = [start];
  // If chunkDays was removed, the rest is loaded in one window.
  const stepMs = chunkDays === undefined ? Number.POSITIVE_INFINITY : chunkDays * DAY_MS;
  const endMs = daysAgo(now, 0).getTime();
  for (let ms = start.getTime() + stepMs; ms < endMs; ms += stepMs) edges.push(new Date(ms));
  const windows = edges.map((from, at) => ({ from, ...(edges[at + 1] && { to: edges[at + 1]! }) }));
  const isUnbounded = loadedUntil === undefined && historyDays === undefined;
  const all = isUnbounded ? [{ to: start }, ...windows] : windows;
  return all.map((window, at) => ({ left: all.length - at, ...window }));
}

/**
 * Plans the windows of a first load by the times at which rows changed last, as `planWindows` does. The first one has no
 * start.
 *
 * @param from when the oldest rows changed, about
 */
export function planChangeWindows(
  { chunkDays }: Pick<TablePlan, "chunkDays">,
  from: Date,
  loadedUntil: string | undefined,
  now: Date,
): readonly LoadWindow[] {
  const start = loadedUntil ?? daysAgo(from, 0).toISOString();
  const windows = planWindows({ ...(chunkDays !== undefined && { chunkDays }) }, start, now);
  return windows.map(({ from: since, ...window }, at) => {
    const isOpen = at === 0 && loadedUntil === undefined;
    return { ...window, byChanges: true, ...(isOpen || since === undefined ? {} : { from: since }) };
  });
}
