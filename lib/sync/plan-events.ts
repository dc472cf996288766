import { AgnesError, isAgnesError } from "../base/mod.ts";
import {
  checkPlan,
  definitionOf,
  isPushedOnly,
  publishedKey,
  type ExtractState,
  type PublishedTable,
  type TablePlan,
} from "../extract/mod.ts";
import type { TableInfo } from "../kit/mod.ts";
import { registeredTable, type SourceHandle } from "../sources/mod.ts";
import { extractionSettings, type TableRecord } from "../tables/mod.ts";
import { planSource } from "./plan.ts";

/** What the plans of a merge depend on. */
interface Merging {
  readonly discovered: readonly TableInfo[] | null;
  readonly handle: Pick<SourceHandle, "name" | "plugin" | "connector">;
  readonly published: ExtractState | null;
  readonly now: Date;
}

/**
 * Returns the plans of the tables that receive events. A table that cannot receive them now has a `problem`, so that its
 * events wait.
 *
 * Changes of other tables can be dropped: they are remote or the result of a query, or their next read is a full one, which
 * includes the changes.
 */
export function planEvents(records: readonly TableRecord[], merging: Merging): readonly TablePlan[] {
  const { discovered, handle, published, now } = merging;
  const { tables, vanished } = planSource(records, discovered, now, handle.plugin);
  const receiving = tables.flatMap((plan): readonly TablePlan[] => {
    const table = publishedTable(published, plan.name);
    if (isPushedOnly(handle.connector, plan)) return [pushedOnlyPlan(plan, table)];
    const canStream = plan.info.capabilities?.includes("stream") !== false;
    if (plan.mode !== "local" || !canStream || table === undefined || isReadWhole(plan, table)) return [];
    return [
      withVersions(
        plan,
        table.columns.map(({ name }) => name),
      ),
    ];
  });
  const lost = vanished.flatMap((record): readonly TablePlan[] => {
    if (record.queryMode !== "local" || publishedTable(published, record.name) === undefined) return [];
    const { id, sourceTable, name } = record;
    const info = registeredTable(record);
    const problem = new AgnesError("table_vanished", { id, source: handle.name, table: sourceTable ?? name });
    return [withProblem({ info, ...extractionSettings(record, info, now) }, problem)];
  });
  return [...receiving, ...lost];
}

/** Whether the next read of a table is certainly a full one. */
function isReadWhole(plan: TablePlan, published: PublishedTable): boolean {
  // Conditions are not applied to events; only tables with a full refresh have them.
  const isFiltered = (plan.filter ?? []).length > 0;
  return isFiltered || published.parts.length === 0 || published.definition !== definitionOf(plan);
}

/** The plan of a table whose rows come from events alone, with the reason why it cannot receive them, if there is one. */
export function pushedOnlyPlan(plan: TablePlan, published: PublishedTable | undefined): TablePlan {
  const { id, name: table, info, primaryKey, filter = [] } = plan;
  if (info.problem !== undefined) return plan;
  const invalid = (reason: string, option?: string) =>
    withProblem(plan, new AgnesError("table_plan_invalid", { id, table, reason, option }));
  if (primaryKey.length === 0)
    return invalid("its rows come from pushed events, which need a primary key", "--primary-key COLUMNS");
  if (filter.length > 0) return invalid("its rows come from pushed events, which conditions cannot select");
  if (published !== undefined && publishedKey(published).join() !== primaryKey.join()) {
    const key = publishedKey(published).join(", ") || "none";
    return invalid(
      `its primary key changed (it was ${key}), and rows of pushed events cannot be read again: set that key, or ` +
        "unregister the table and register it again, without its rows",
    );
  }
  try {
    checkPlan(plan);
  } catch (error) {
    if (!isAgnesError(error)) throw error;
    return withProblem(plan, error);
  }
  return withVersions(
    plan,
    info.schema.fields.map(({ name }) => String(name)),
  );
}

/** A full refresh has no cursor, but events of such a table may arrive out of order too. */
function withVersions(plan: TablePlan, columns: readonly string[]): TablePlan {
  const cursor = plan.cursor ?? plan.info.cursor;
  return cursor === undefined || !columns.includes(cursor) ? plan : { ...plan, cursor };
}

function withProblem(plan: TablePlan, problem: AgnesError): TablePlan {
  return { ...plan, info: { ...plan.info, problem, hasBadRows: false } };
}

/** The published table with this name. */
export function publishedTable(published: ExtractState | null, name: string): PublishedTable | undefined {
  const folded = name.toLowerCase();
  return published?.tables.find((table) => table.name.toLowerCase() === folded && table.mode !== "remote");
}
