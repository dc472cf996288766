import {
  summarise,
  type ExtractState,
  type ExtractStats,
  type TablePlan,
  type TableStats,
} from "../extract/mod.ts";
import type { MergedEvents } from "./merge-events.ts";
import { publishedTable, pushedOnlyPlan } from "./plan-events.ts";

/** Adds the changes of events to the figures of a run, and the requested tables whose rows come from events alone. */
export function withEvents(
  stats: ExtractStats,
  merged: MergedEvents | null,
  pushedOnly: readonly TablePlan[],
  state: ExtractState | null,
): ExtractStats {
  if (merged === null) return stats;
  const failures = new Map(merged.errors.map(({ table, error }) => [table, error]));
  const read = stats.tables.map((table) => withChanges(table, merged));
  const pushed = pushedOnly.map((plan) => pushedStats(plan, merged, state));
  const total = summarise([...read, ...pushed], { ...stats, published: stats.published || merged.published });
  const reported = new Set(total.errors.map(({ table }) => table));
  const others = [...failures].filter(([table]) => !reported.has(table));
  return {
    ...total,
    tablesFailed: total.tablesFailed + others.length,
    errors: [...total.errors, ...others.map(([table, error]) => ({ table, error }))],
  };
}

/** Adds the changes of events to the figures of a table that was read after them. */
function withChanges(table: TableStats, { report }: MergedEvents): TableStats {
  const changed = report.tables.find(({ name }) => name === table.name);
  if (changed === undefined) return table;
  const { upserts, deletes, rowsQuarantined, partsWritten, schemaChanges, notes } = changed;
  const isChanged = partsWritten > 0 || deletes > 0;
  return {
    ...table,
    status: table.status === "unchanged" && isChanged ? "extracted" : table.status,
    rowsQuarantined: table.rowsQuarantined + rowsQuarantined,
    partsWritten: table.partsWritten + partsWritten,
    schemaChanges: [...schemaChanges, ...table.schemaChanges],
    notes: [...new Set([...notes, ...table.notes])],
    events: { upserts, deletes },
  };
}

/** The figures of a table whose rows come from events alone. */
function pushedStats(plan: TablePlan, merged: MergedEvents, state: ExtractState | null): TableStats {
  const published = publishedTable(state, plan.name);
  const changed = merged.report.tables.some(({ name }) => name === plan.name);
  const error =
    merged.errors.find(({ table }) => table === plan.name)?.error ??
    pushedOnlyPlan(plan, published).info.problem;
  const isFailed = error !== undefined || merged.error !== undefined;
  const unpublished = "no event has changed it yet, so it is not published";
  const table: TableStats = {
    id: plan.id,
    name: plan.name,
    status: isFailed ? "failed" : "unchanged",
    strategy: plan.strategy,
    full: false,
    rowsRead: 0,
    rowsDeleted: 0,
    rowsQuarantined: 0,
    rows: published?.rows ?? 0,
    sizeBytes: published?.sizeBytes ?? 0,
    parts: published?.parts.length ?? 0,
    partsWritten: 0,
    schemaChanges: [],
    notes: [...(plan.info.notes ?? []), ...(published === undefined && !isFailed ? [unpublished] : [])],
    ...(error === undefined ? {} : { error }),
    elapsedMs: merged.elapsedMs,
  };
  return changed ? withChanges(table, merged) : table;
}
