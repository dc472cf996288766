import { quoteLiteral } from "../../duckdb/mod.ts";
import type { Cursor, Filter, ReadChanges, ReadWindow } from "../../kit/mod.ts";
import type { ReadDecision } from "./decide.ts";
import { columnsOf } from "../schema/column.ts";
import type { TableJob } from "../job/job.ts";
import { daysAgo, type LoadWindow } from "../job/load-windows.ts";
import { runsQuery } from "../job/plan.ts";

/** The rows that a read requests. */
export interface ReadRange {
  /** The start: the published cursor, or the start of the lookback window before it. */
  readonly cursor?: Cursor;
  /** The conditions of the table, including the limit of its history. */
  readonly filter: readonly Filter[];
  /** The window of a first load, passed to the connector. */
  readonly window?: ReadWindow;
  /** The window of a first load by the time of changes, passed to the connector. */
  readonly changes?: ReadChanges;
  /** The conditions for files, which are always read completely, regardless of the cursor. */
  readonly originFilter: readonly Filter[];
  readonly notes: readonly string[];
}

/** The type of the cursor column (an empty string if unknown), and whether it is a date or timestamp. */
export function cursorOf({ plan, previous }: Pick<TableJob, "plan" | "previous">): {
  readonly type: string;
  readonly isTime: boolean;
  readonly nullable: boolean;
} {
  // A table without a description has only its published types before the first batch.
  const known = plan.columnsFrom === "read" ? (previous?.columns ?? []) : columnsOf(plan.info.schema);
  const column = known.find(({ name }) => name === plan.cursor);
  const { type, nullable } = column ?? { type: "", nullable: true };
  return { type, nullable, isTime: /^(DATE|TIMESTAMP)/.test(type) };
}

/** The rows of one window of a first load. */
function windowRange(job: TableJob, { from, to }: LoadWindow, type: string): ReadRange {
  const { plan } = job;
  const column = plan.cursor!;
  const own = plan.filter ?? [];
  const window = { column, ...(from && { from }), ...(to && { to }) };
  const originFilter = [...own, ...historyOf(job)];
  // Without a limit of the history, the last window also includes rows with a null cursor.
  if (
    to === undefined &&
    from !== undefined &&
    plan.historyDays === undefined &&
    plan.primaryKey.length > 0
  ) {
    const cursor = { column, value: textOf(from, type), inclusive: true };
    return { cursor, window, filter: own, originFilter, notes: [] };
  }
  const filter: readonly Filter[] = [
    ...own,
    ...(from === undefined ? [] : [{ column, operator: "ge" as const, values: [from] }]),
    ...(to === undefined ? [] : [{ column, operator: "lt" as const, values: [to] }]),
  ];
  return { window, filter, originFilter, notes: [] };
}

/** Returns the range of a read by the lookback window (`windowDays`) and the limit of the history (`historyDays`). */
export async function rangeOf(job: TableJob, decision: ReadDecision): Promise<ReadRange> {
  const { plan } = job;
  // The SQL of a materialized table selects its own rows.
  const filter = runsQuery(plan) ? [] : (plan.filter ?? []);
  const inclusive = plan.primaryKey.length > 0;
  const cursor = decision.cursor === undefined ? undefined : { ...decision.cursor, inclusive };
  const plain: ReadRange = { ...(cursor && { cursor }), filter, originFilter: filter, notes: [] };
  const { type, isTime } = cursorOf(job);
  const { window } = decision;
  if (window?.byChanges === true) {
    const { from, to } = window;
    return { changes: { ...(from && { from }), ...(to && { to }) }, filter, originFilter: filter, notes: [] };
  }
  if (window !== undefined) return windowRange(job, window, type);
  const days = decision.kind === "whole" ? plan.historyDays : cursor && plan.windowDays;
  if (runsQuery(plan)) return plain;
  const originFilter = isTime ? [...filter, ...historyOf(job)] : filter;
  if (days === undefined) return { ...plain, originFilter };
  if (!isTime)
    return {
      ...plain,
      notes: ["its cursor column is not a date or timestamp, so its limits in days were ignored"],
    };
  if (cursor === undefined) return { ...plain, filter: originFilter, originFilter };
  if (!inclusive) {
    const notes = ["it has no primary key, so no lookback window was applied"];
    return { ...plain, originFilter, notes };
  }
  const value = await daysBefore(job, cursor.value, type, days);
  return { ...plain, cursor: { ...cursor, value }, originFilter };
}

/** Formats a date as DuckDB formats values of a type. */
function textOf(moment: Date, type: string): string {
  const text = moment.toISOString().slice(0, 19).replace("T", " ");
  if (type === "DATE") return text.slice(0, 10);
  return type.includes("ZONE") ? `${text}+00` : text;
}

/** The condition that limits the history of a table; empty if it is unlimited. */
function historyOf({ plan, run: { services } }: TableJob): readonly Filter[] {
  if (plan.historyDays === undefined) return [];
  // Whole days, so that the limit does not split a day.
  const since = daysAgo(services.host.now(), plan.historyDays);
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
