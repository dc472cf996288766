import { quoteLiteral } from "../../duckdb/mod.ts";
import type { Cursor, Filter } from "../../kit/mod.ts";
import type { ReadDecision } from "../decide.ts";
import type { TablePlan } from "../plan.ts";
import { columnsOf } from "../schema/column.ts";
import type { TableContext } from "../services.ts";

/** The rows that a read is to give. */
export interface ReadRange {
  /** Where it starts: at the published cursor, or days before it. */
  readonly cursor?: Cursor;
  /** The conditions of the table, and how far back the whole of it goes. */
  readonly filter: readonly Filter[];
  readonly notes: readonly string[];
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** Decides how far a read looks back, as `windowDays` and `historyDays` of the plan say. */
export async function rangeOf(context: TableContext, decision: ReadDecision): Promise<ReadRange> {
  const { plan, services } = context;
  // The query of a materialized table says itself which rows it wants.
  const filter = plan.mode === "materialized" ? [] : (plan.filter ?? []);
  const { cursor } = decision;
  const days = decision.kind === "whole" ? plan.historyDays : cursor && plan.windowDays;
  if (days === undefined || plan.mode === "materialized")
    return { ...(cursor && { cursor }), filter, notes: [] };
  const type = columnsOf(plan.info.schema).find(({ name }) => name === plan.cursor)?.type ?? "";
  const problem = problemOf(plan, type, decision);
  if (problem !== undefined) return { ...(cursor && { cursor }), filter, notes: [problem] };
  if (cursor !== undefined) {
    return {
      cursor: { ...cursor, value: await daysBefore(context, cursor.value, type, days) },
      filter,
      notes: [],
    };
  }
  // Whole days, so that a column of dates is cut between two of them.
  const since = new Date(Math.floor(services.host.now().getTime() / DAY_MS - days) * DAY_MS);
  return { filter: [...filter, { column: plan.cursor!, operator: "ge", values: [since] }], notes: [] };
}

function problemOf(plan: TablePlan, type: string, decision: ReadDecision): string | undefined {
  if (!/^(DATE|TIMESTAMP)/.test(type)) return "its cursor is no time, so no days were counted back from it";
  if (decision.kind === "delta" && plan.primaryKey.length === 0) {
    return "it has no primary key, so it was not read again for the days before its cursor";
  }
  return undefined;
}

async function daysBefore(
  { database, signal }: TableContext,
  value: string,
  type: string,
  days: number,
): Promise<string> {
  await using connection = await database.connect();
  const [row] = await connection.rows<{ value: string }>(
    `SELECT CAST(CAST(CAST(${quoteLiteral(value)} AS ${type}) - INTERVAL ${days} DAY AS ${type}) AS VARCHAR) AS value`,
    { signal },
  );
  return row!.value;
}
