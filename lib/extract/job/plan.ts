import { AgnesError, isExposedName } from "../../base/mod.ts";
import type { TableInfo } from "../../kit/mod.ts";
import { duckdbTypeOf, storedType, typeOfOtherOrder } from "../../duckdb/mod.ts";
import { checkColumns } from "../../sources/mod.ts";
import type { ExtractionSettings } from "../../tables/mod.ts";
import { reservedNames } from "../format/layout.ts";

/** What is to be done with one table. */
export interface TablePlan extends Omit<ExtractionSettings, "quarantineMaxPercent"> {
  /** The table as the connector describes it. */
  readonly info: TableInfo;
  /** Who tells the columns: `info`, or for a plugin without `discover` the first batch of each read. Default `discover`. */
  readonly columnsFrom?: "discover" | "read";
  /** As in the settings. Default 5. */
  readonly quarantineMaxPercent?: number;
}

/**
 * Checks one plan against its table.
 * @throws `table_plan_invalid`
 */
export function checkPlan(plan: TablePlan): void {
  const { id, name: table } = plan;
  const refuse = (reason: string, option?: string): never => {
    throw new AgnesError("table_plan_invalid", { id, table, reason, option });
  };
  if (!isExposedName(plan.name)) refuse("its name may hold letters, digits and underscores only");
  if (reservedNames.has(plan.name.toLowerCase()))
    refuse(`the name ${plan.name} belongs to the extract itself`);
  if (plan.mode === "materialized" && plan.query === undefined) refuse("a materialized table needs its SQL");
  if (plan.mode !== "local" || plan.columnsFrom === "read") return;
  if (plan.strategy === "partitioned" && plan.partitionBy === undefined) {
    refuse("a partitioned table needs the column that decides the partition");
  }
  checkColumns(plan, plan.info.schema);
  const cursor = plan.info.schema.fields.find(({ name }) => name === plan.cursor);
  const type = cursor === undefined ? null : typeOfOtherOrder(cursor);
  if (type !== null) {
    const stored = storedType(duckdbTypeOf(cursor!));
    refuse(
      `its cursor column ${JSON.stringify(plan.cursor)} is ${type} and kept as ${stored}, which has another order, ` +
        "so newer rows would be missed; take a column of numbers, times or text",
      "--incremental-column COLUMN",
    );
  }
}

/** The columns that are published, in the order of the source. */
export function publishedColumns(plan: TablePlan): readonly string[] {
  const all = plan.info.schema.fields.map((field) => String(field.name));
  if (plan.columns === undefined) return all;
  const wanted = new Set([...plan.columns, ...plan.primaryKey]);
  if (plan.cursor !== undefined) wanted.add(plan.cursor);
  if (plan.partitionBy !== undefined) wanted.add(plan.partitionBy);
  return all.filter((name) => wanted.has(name));
}

/** The columns that are asked of the connector: those published and those that conditions look at. */
export function requestedColumns(plan: TablePlan): readonly string[] {
  const wanted = new Set([...publishedColumns(plan), ...(plan.filter ?? []).map((filter) => filter.column)]);
  return plan.info.schema.fields.map((field) => String(field.name)).filter((name) => wanted.has(name));
}

/** All columns that the plan itself names, for a table that nobody described. */
export function namedColumns(plan: TablePlan): readonly string[] {
  const partition = plan.partitionBy === undefined ? [] : [plan.partitionBy];
  const cursor = plan.cursor === undefined ? [] : [plan.cursor];
  const filters = (plan.filter ?? []).map((filter) => filter.column);
  return [...new Set([...(plan.columns ?? []), ...plan.primaryKey, ...cursor, ...partition, ...filters])];
}

/** Plans whose names DuckDB would take for the same, by the lower-case name. */
export function duplicateNames(plans: readonly TablePlan[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const { name } of plans) {
    const folded = name.toLowerCase();
    if (seen.has(folded)) twice.add(folded);
    seen.add(folded);
  }
  return twice;
}
