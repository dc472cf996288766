import type { AnalyticsTable } from "../analytics/mod.ts";
import type { FunctionUse } from "../sql/mod.ts";

/**
 * Hides the internal name of the current database on a connection. DuckDB's `current_catalog`, with and without
 * parentheses, calls this macro, also in views.
 */
export const PUBLIC_DATABASE = "CREATE OR REPLACE TEMP MACRO current_database() AS 'agnes'";

/** Whether a call returns the name of the current database and is replaced by `PUBLIC_DATABASE`. */
export function isDatabaseName({ name, catalog, schema }: FunctionUse): boolean {
  return catalog === "" && schema === "" && /^current_(?:catalog|database)$/i.test(name);
}

/** Whether the view of a table may use the name of the current database. */
export function mayNameDatabase({ definition }: AnalyticsTable): boolean {
  return /current_catalog/i.test(definition);
}
