import { planWindows, type LoadWindow } from "../job/load-windows.ts";
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
  if (decision.kind === "delta") {
    const loadedUntil = previous?.loadedUntil;
    return { windows: loadedUntil === undefined ? [] : planWindows(plan, loadedUntil, now), notes: [] };
  }
  const isFirst = previous === undefined || previous.parts.length === 0;
  if (!isFirst || plan.chunkDays === undefined || plan.mode !== "local") return { windows: [], notes: [] };
  const reason = obstacle(job);
  if (reason !== undefined) return { windows: [], notes: [`${reason}, so it was not loaded in windows`] };
  return { windows: planWindows(plan, undefined, now), notes: [] };
}

function obstacle(job: TableJob): string | undefined {
  const { cursor, historyDays, primaryKey } = job.plan;
  if (cursor === undefined) return "it has no cursor column that its strategy uses";
  const { isTime, nullable } = cursorOf(job);
  if (!isTime) return "its cursor column is not known to be a date or timestamp";
  // Rows with a null cursor are in no window, and they cannot be merged without a key.
  if (nullable && historyDays === undefined && primaryKey.length === 0)
    return "it has no primary key and its cursor column is nullable";
  return undefined;
}
