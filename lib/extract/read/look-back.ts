import { quoteLiteral } from "../../duckdb/mod.ts";
import type { Cursor, Filter } from "../../kit/mod.ts";
import type { ReadDecision } from "./decide.ts";
import { columnsOf } from "../schema/column.ts";
import type { TableJob } from "../job/job.ts";

/** The rows that a read is to give. */
export interface ReadRange {
  /** Where it starts: at the published cursor, or days before it. */
  readonly cursor?: Cursor;
  /** The conditions of the table, and how far back the whole of it goes. */
  readonly filter: readonly Filter[];
  /** The same for files that are read whole, whatever the cursor. */
  readonly originFilter: readonly Filter[];
  readonly notes: readonly string[];
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** Decides how far a read looks back, as `windowDays` and `historyDays` of the plan say. */
export async function rangeOf(job: TableJob, decision: ReadDecision): Promise<ReadRange> {
  const { plan, previous } = job;
  // The query of a materialized table says itself which rows it wants.
  const filter = plan.mode === "materialized" ? [] : (plan.filter ?? []);
  const inclusive = plan.primaryKey.length > 0;
  const cursor = decision.cursor === undefined ? undefined : { ...decision.cursor, inclusive };
  const plain: ReadRange = { ...(cursor && { cursor }), filter, originFilter: filter, notes: [] };
  const days = decision.kind === "whole" ? plan.historyDays : cursor && plan.windowDays;
  if (plan.mode === "materialized") return plain;
  // Before the first batch, only what is published tells the type of a table that nobody described.
  const known = plan.columnsFrom === "read" ? (previous?.columns ?? []) : columnsOf(plan.info.schema);
  const type = known.find(({ name }) => name === plan.cursor)?.type ?? "";
  const isTime = /^(DATE|TIMESTAMP)/.test(type);
  const originFilter = isTime ? [...filter, ...historyOf(job)] : filter;
  if (days === undefined) return { ...plain, originFilter };
  if (!isTime) return { ...plain, notes: ["its cursor is no time, so no days were counted back from it"] };
  if (cursor === undefined) return { ...plain, filter: originFilter, originFilter };
  if (!inclusive) {
    const notes = ["it has no primary key, so it was not read again for the days before its cursor"];
    return { ...plain, originFilter, notes };
  }
  const value = await daysBefore(job, cursor.value, type, days);
  return { ...plain, cursor: { ...cursor, value }, originFilter };
}

/** How far back all of a table goes; none when it goes back to its start. */
function historyOf({ plan, run: { services } }: TableJob): readonly Filter[] {
  if (plan.historyDays === undefined) return [];
  // Whole days, so that a column of dates is cut between two of them.
  const since = new Date(Math.floor(services.host.now().getTime() / DAY_MS - plan.historyDays) * DAY_MS);
  return [{ column: plan.cursor!, operator: "ge", values: [since] }];
}

async function daysBefore(
  { signal, run: { database } }: TableJob,
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
