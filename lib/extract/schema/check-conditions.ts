import { AgnesError, formatValue, isAgnesError } from "../../base/mod.ts";
import { duckdbTypeOf, quoteIdentifier, type Connection, type Database } from "../../duckdb/mod.ts";
import { filterToSql, type Filter } from "../../kit/mod.ts";
import { conditionsOption } from "../../sources/mod.ts";
import type { TablePlan } from "../job/plan.ts";

type Conditions = Pick<TablePlan, "id" | "name" | "info" | "filter" | "queriedParts">;

/**
 * Checks that DuckDB can compare the values of all conditions with their columns, before rows are read: otherwise the first
 * row fails, and the error is about its file.
 *
 * @throws `table_plan_invalid`
 */
export async function checkConditions(database: Database, plan: Conditions): Promise<void> {
  const { filter = [] } = plan;
  const compared = filter.filter(({ values }) => values.length > 0);
  if (compared.length === 0) return;
  await using connection = await database.connect();
  for (const one of compared) {
    const field = plan.info.schema.fields.find(({ name }) => name === one.column);
    if (field === undefined) continue;
    const type = duckdbTypeOf(field);
    // A file may contain text columns as numbers, which are then compared as such.
    if (type === "VARCHAR") continue;
    if (await canCompare(connection, one, type)) continue;
    throw conditionError(plan, one, { value: await wrongValue(connection, one, type), type });
  }
}

/** Returns the error of a condition that compares a text column with a number; null if an error has another cause. */
export function textConditionError(plan: Conditions, error: AgnesError): AgnesError | null {
  if (!isAgnesError(error, "duckdb_failed")) return null;
  if (!error.details.reason.startsWith("Cannot compare values of type VARCHAR")) return null;
  for (const one of plan.filter ?? []) {
    const field = plan.info.schema.fields.find(({ name }) => name === one.column);
    const value = one.values.find((other) => typeof other !== "string");
    if (value === undefined || (field !== undefined && duckdbTypeOf(field) !== "VARCHAR")) continue;
    return conditionError(plan, one, { value, type: "VARCHAR" }, error);
  }
  return null;
}

function conditionError(
  plan: Conditions,
  { column }: Filter,
  { value, type }: { readonly value: unknown; readonly type: string },
  cause?: AgnesError,
): AgnesError {
  const { id, name: table } = plan;
  const reason = `${formatValue(value)} in its condition on column ${formatValue(column)} cannot be compared with the type ${type}`;
  const details = { id, table, reason, option: conditionsOption(plan) };
  return new AgnesError("table_plan_invalid", details, cause === undefined ? {} : { cause });
}

async function wrongValue(connection: Connection, filter: Filter, type: string): Promise<unknown> {
  for (const value of filter.values)
    if (!(await canCompare(connection, { ...filter, values: [value] }, type))) return value;
  return filter.values[0];
}

/** Evaluates the condition on one null, which converts its constants. */
async function canCompare(connection: Connection, filter: Filter, type: string): Promise<boolean> {
  const column = quoteIdentifier(filter.column);
  try {
    await connection.rows(`SELECT ${filterToSql([filter])} FROM (SELECT CAST(NULL AS ${type}) AS ${column})`);
    return true;
  } catch (error) {
    // DuckDB's message contains the value, which may be the name of a file.
    if (isAgnesError(error, "duckdb_failed") || isAgnesError(error, "file_unreadable")) return false;
    throw error;
  }
}
