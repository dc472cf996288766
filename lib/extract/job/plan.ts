import { AgnesError, isExposedName } from "../../base/mod.ts";
import type { TableInfo } from "../../kit/mod.ts";
import { duckdbTypeOf, storedType, typeOfOtherOrder } from "../../duckdb/mod.ts";
import { checkColumns } from "../../sources/mod.ts";
import type { ExtractionSettings } from "../../tables/mod.ts";
import { reservedNames } from "../format/layout.ts";

/** The settings of a table with its description by the connector. */
export interface TablePlan extends Omit<ExtractionSettings, "quarantineMaxPercent" | "invalidValues"> {
  /** The table as the connector describes it. */
  readonly info: TableInfo;
  /**
   * Where the columns come from: `info`, or the first batch of each read if the plugin has no `discover`. Default:
   * `discover`.
   */
  readonly columnsFrom?: "discover" | "read";
  /** See `ExtractionSettings`. Default: 5. */
  readonly quarantineMaxPercent?: number;
  /** See `ExtractionSettings`. Default: `fail`. */
  readonly invalidValues?: ExtractionSettings["invalidValues"];
}

/** Whether SQL that the source runs selects the rows of a table; otherwise `read` returns them. */
export function runsQuery({ mode, sourceQuery }: Pick<TablePlan, "mode" | "sourceQuery">): boolean {
  return mode === "materialized" && sourceQuery === undefined;
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
  if (!isExposedName(plan.name)) refuse("its name may contain only letters, digits and underscores");
  if (reservedNames.has(plan.name.toLowerCase()))
    refuse(`the name ${plan.name} is reserved for the metadata tables`);
  if (runsQuery(plan) && plan.query === undefined) refuse("a materialized table needs a query");
  if (plan.mode === "remote" || runsQuery(plan) || plan.columnsFrom === "read") return;
  if (plan.strategy === "partitioned" && plan.partitionBy === undefined) {
    refuse("a partitioned table needs a partition column");
  }
  checkColumns(plan, plan.info.schema);
  const cursor = plan.info.schema.fields.find(({ name }) => name === plan.cursor);
  const type = cursor === undefined ? null : typeOfOtherOrder(cursor);
  if (type !== null) {
    const stored = storedType(duckdbTypeOf(cursor!));
    refuse(
      `its cursor column ${JSON.stringify(plan.cursor)} is ${type} and stored as ${stored}, which sorts differently, ` +
        "so newer rows would be missed; use a number, time or text column",
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

/** The columns to request from the connector: the published ones and those that filters use. */
export function requestedColumns(plan: TablePlan): readonly string[] {
  const wanted = new Set([...publishedColumns(plan), ...(plan.filter ?? []).map((filter) => filter.column)]);
  return plan.info.schema.fields.map((field) => String(field.name)).filter((name) => wanted.has(name));
}

/** All columns that the plan names, for a table without a description. */
export function namedColumns(plan: TablePlan): readonly string[] {
  const partition = plan.partitionBy === undefined ? [] : [plan.partitionBy];
  const cursor = plan.cursor === undefined ? [] : [plan.cursor];
  const filters = (plan.filter ?? []).map((filter) => filter.column);
  return [...new Set([...(plan.columns ?? []), ...plan.primaryKey, ...cursor, ...partition, ...filters])];
}

/** Names, in lower case, that more than one plan has; DuckDB ignores case. */
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
