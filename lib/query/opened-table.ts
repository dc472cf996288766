import type { AnalyticsTable } from "../analytics/mod.ts";
import type { Connection } from "../duckdb/mod.ts";

/** A published table on a connection of its own. */
export interface OpenedTable {
  readonly connection: Connection;
  readonly table: AnalyticsTable;
  /** The table in SQL. */
  readonly from: string;
}
