import { planChangeWindows, planWindows, type LoadWindow } from "../job/load-windows.ts";
import type { TableJob } from "../job/job.ts";
import type { ReadDecision } from "./decide.ts";
import { cursorOf } from "./lookback.ts";

/** The windows of a first load; empty if the table is read at once. */
export interface LoadPlan {
  readonly windows: readonly LoadWindow[];
  /** Notes on why a table with `chunkDays` is read at once. */
  readonly notes: readonly string[];
}

/** Plans the windows of a table's first load, starting after the last published one. */
export function loadOf(job: TableJob, decision: ReadDecision): LoadPlan {
  const { plan, previous } = job;
  const now = job.run.services.host.now();
  const { changesFrom } = plan.info;
  if (decision.kind === "delta") {
    const loadedUntil = previous?.loadedUntil;
    if (loadedUntil === undefined) return { windows: [], notes: [] };
    const windows =
      plan.cursor === undefined && changesFrom !== undefined
        ? planChangeWindows(plan, changesFrom, loadedUntil, now)
        : planWindows(plan, loadedUntil, now);
    return { windows, notes: [] };
  }
  const isFirst = previous === undefined || previous.parts.length === 0;
  if (!isFirst || plan.chunkDays === undefined || plan.mode !== "local") return { windows: [], notes: [] };
  if (changesFrom !== undefined && isMergedByKey(plan)) {
    const windows = planChangeWindows(plan, changesFrom, undefined, now);
    // A single window is the whole table.
    return { windows: windows.length === 1 ? [] : windows, notes: [] };
  }
  const reason = obstacle(job);
  if (reason !== undefined) return { windows: [], notes: [`${reason}, so it was not loaded in windows`] };
  return { windows: planWindows(plan, undefined, now), notes: [] };
}

function isMergedByKey({ cursor, primaryKey, strategy }: TableJob["plan"]): boolean {
  return cursor === undefined && primaryKey.length > 0 && strategy !== "full_refresh";
}

function obstacle(job: TableJob): string | undefined {
  const { cursor, historyDays, info, primaryKey, strategy } = job.plan;
  if (cursor === undefined) {
    if (strategy === "full_refresh") return "it has no cursor column that its strategy uses";
    return info.changesFrom === undefined
      ? "it has no cursor column, and its source does not read it by the time of changes"
      : "it has neither a cursor column nor a primary key";
  }
  const { isTime, nullable } = cursorOf(job);
  if (!isTime) return "its cursor column is not known to be a date or timestamp";
  // Rows with a null cursor are in no window, and they cannot be merged without a key.
  if (nullable && historyDays === undefined && primaryKey.length === 0)
    return "it has no primary key and its cursor column is nullable";
  return undefined;
}

/** Detects a source that ignores windows, so that each further window would read the whole table again. */
export interface WindowWatch {
  /** Adds the read of a window, and returns whether the source ignores windows. */
  ignoresWindows(rowsRead: number, parts: readonly WindowPart[]): boolean;
}

/** A part of the rows of a window. */
interface WindowPart {
  readonly kind: string;
  readonly rows: number | null;
  readonly origin: string | null;
}

/** More rows than this outside one window are never rows at its edges. */
const ROWS_OUTSIDE_MAX = 1000;

/**
 * Watches the windows of a first load: after two with rows, more than half of all rows should be inside. The rows that
 * earlier runs loaded count as inside, because they are published.
 */
export function watchWindows({ plan, previous }: TableJob): WindowWatch {
  // The rows that a filter of the table excludes cannot be distinguished from those outside a window, so nothing is judged.
  const isFiltered = (plan.filter ?? []).length > 0;
  const isContinued = previous?.loadedUntil !== undefined;
  let windows = isContinued ? 1 : 0;
  let inside = isContinued ? previous.rows : 0;
  let outside = 0;
  return {
    ignoresWindows(rowsRead, parts) {
      if (parts.some((part) => part.origin !== null)) return true;
      if (isFiltered) return false;
      const kept = parts.reduce((sum, part) => sum + (part.kind === "staged" ? (part.rows ?? 0) : 0), 0);
      const dropped = rowsRead - kept;
      if (rowsRead > 0) windows += 1;
      inside += kept;
      outside += dropped;
      return dropped > ROWS_OUTSIDE_MAX + 2 * kept || (windows >= 2 && outside > inside);
    },
  };
}
