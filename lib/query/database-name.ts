import type { AnalyticsTable } from "../analytics/mod.ts";
import type { FunctionUse } from "../sql/mod.ts";

/**
 * For a connection on which the name of the current database is asked: it is one of Agnes's own. The bare words and the
 * function `current_catalog` of DuckDB call this one, also in views.
 */
export const PUBLIC_DATABASE = "CREATE OR REPLACE TEMP MACRO current_database() AS 'agnes'";

/** Whether a call asks for the name of the current database, and `PUBLIC_DATABASE` answers it. */
export function isDatabaseName({ name, catalog, schema }: FunctionUse): boolean {
  return catalog === "" && schema === "" && /^current_(?:catalog|database)$/i.test(name);
}

/** Whether the view of a table may ask for it. */
export function mayNameDatabase({ definition }: AnalyticsTable): boolean {
  return /current_catalog/i.test(definition);
}
