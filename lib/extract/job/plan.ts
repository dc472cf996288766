import { AgnesError, isExposedName } from "../../base/mod.ts";
import type { Filter, TableInfo } from "../../kit/mod.ts";
import { duckdbTypeOf, storedType, typeOfOtherOrder } from "../../duckdb/mod.ts";
import { checkColumns } from "../../sources/mod.ts";
import type { Granularity, QueryMode, SchemaPolicy, Strategy } from "../../tables/mod.ts";
import { reservedNames } from "../format/layout.ts";

/** What is to be done with one table. */
export interface TablePlan {
  /** The immutable id, `source.name`. */
  readonly id: string;
  /** The name of the object in `extract.duckdb`. */
  readonly name: string;
  /** The table as the connector describes it. */
  readonly info: TableInfo;
  /** Who tells the columns: `info`, or for a plugin without `discover` the first batch of each read. Default `discover`. */
  readonly columnsFrom?: "discover" | "read";
  readonly mode: QueryMode;
  /** For `materialized`: the SQL that the source runs. */
  readonly query?: string;
  readonly strategy: Strategy;
  /** The columns that identify a row; without them rows can only be appended. */
  readonly primaryKey: readonly string[];
  /** The column whose values only grow. */
  readonly cursor?: string;
  /** How many days before the cursor a read starts, for rows that come late; for tables with a key and a cursor of time. */
  readonly windowDays?: number;
  /** How many days back a read of the whole goes, by a cursor of time; rows without one stay out. Default: everything. */
  readonly historyDays?: number;
  /**
   * With how many days a window of the first load is, by a cursor of time; each is published by itself. Default: all is
   * read at once.
   */
  readonly chunkDays?: number;
  /** The bucket, dataset or schema of the table, as it is registered; given to the connector. */
  readonly bucket?: string;
  /** The columns to publish. Default: all. Key, cursor and partition columns always are. */
  readonly columns?: readonly string[];
  /** Conditions, ANDed, that rows must meet. */
  readonly filter?: readonly Filter[];
  /** For `partitioned`: the column that decides. */
  readonly partitionBy?: string;
  /** For `partitioned`. Default `month`. */
  readonly partitionGranularity?: Granularity;
  /** What a change of the source's schema does: `evolve` follows it when that is safe, `freeze` fails the table. */
  readonly schemaPolicy: SchemaPolicy;
  /** Whether rows with a value that does not fit are rejected one by one instead of failing the table. */
  readonly quarantine: boolean;
  /** With `quarantine`: the share of rows, in percent of those read, that may be rejected before the table fails. Default 5. */
  readonly quarantineMaxPercent?: number;
  readonly description: string;
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
