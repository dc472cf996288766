import { AgnesError } from "../../base/mod.ts";
import type { TableSettings } from "./settings.ts";
import { parseSourceQuery, type SourceQuery, type SourceQueryForm } from "./source-query.ts";

/** The settings that a JSON query may contradict. */
type Queried = Pick<
  TableSettings,
  "columns" | "primaryKey" | "queryMode" | "sourceQuery" | "sourceTable" | "syncStrategy" | "whereFilters"
>;

/**
 * Returns the query of a materialized table whose plugin declares `sourceQuery`, without parts if the table has no query;
 * null for a table in another mode. The rows come from `read`.
 *
 * @throws `source_query_invalid`; `table_contradiction` with the other settings of the table
 */
export function checkedQuery(table: Queried, id: string, form: SourceQueryForm): SourceQuery | null {
  if (table.queryMode !== "materialized") return null;
  const refuse = (fields: readonly string[], reason: string, instead: string): never => {
    throw new AgnesError("table_contradiction", { id, fields, reason, instead });
  };
  if (table.syncStrategy !== "full_refresh") {
    refuse(
      ["query_mode", "sync_strategy"],
      `a materialized table of ${form.plugin} is read in full at every sync`,
      "Use the strategy full_refresh, or the mode local without a query.",
    );
  }
  if (table.sourceQuery === null) return { fields: {} };
  const query = parseSourceQuery(table.sourceQuery, id, form);
  if (table.sourceTable === null) {
    refuse(
      ["source_table", "source_query"],
      "the query selects rows of a table, and source_table does not name one",
      "Set source_table, the argument TABLE of `agnes table register SOURCE TABLE`.",
    );
  }
  if (query.columns !== undefined && table.columns !== null) {
    refuse(["columns", "source_query"], "both select columns", "Remove one of the two lists of columns.");
  }
  if (query.filter !== undefined && table.whereFilters.length > 0) {
    refuse(
      ["where_filters", "source_query"],
      "both have conditions",
      "Move all conditions to the where_filters of one of them.",
    );
  }
  if (query.columns !== undefined && table.primaryKey.some((name) => !query.columns!.includes(name))) {
    refuse(
      ["source_query", "primary_key"],
      "a column of the key is not among the columns that are read",
      "Add the columns of the key to columns of source_query.",
    );
  }
  return query;
}
