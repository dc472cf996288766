import { AgnesError } from "../../base/mod.ts";
import type { QueryEstimate } from "../../kit/mod.ts";
import type { TableRecord } from "../../tables/mod.ts";
import type { Alias } from "./types.ts";

/**
 * The error for a caller with access to some tables only. It is the same for each reason, also if the source rejects the SQL:
 * otherwise a caller could find out which tables and columns exist.
 */
export function accessDenied({ name: alias, source }: Pick<Alias, "name" | "source">): AgnesError {
  const reason =
    "the source does not confirm that it is a SELECT whose tables are all registered and accessible as a whole";
  return new AgnesError("alias_access_denied", { alias, source, reason });
}

/**
 * Checks that a caller with access to some tables only may read all tables of an alias. A table that is registered with
 * some of its columns, with conditions or as a query is not accessible as a whole.
 *
 * @param accessible the registered tables that the caller may access
 * @throws `alias_access_denied`, also if the source does not name the tables
 */
export function checkAccess(
  alias: Alias,
  { referencedTables, statementType }: Pick<QueryEstimate, "referencedTables" | "statementType">,
  accessible: readonly TableRecord[],
): void {
  const names = new Set(
    accessible.filter((record) => record.source === alias.source && isWhole(record)).map(sourceNameOf),
  );
  // Without a table, it would only show facts of the source, such as its user.
  const isAllowed =
    statementType === "SELECT" &&
    referencedTables !== undefined &&
    referencedTables.length > 0 &&
    referencedTables.every((name) => names.has(name));
  if (!isAllowed) throw accessDenied(alias);
}

function isWhole({ columns, whereFilters, sourceQuery }: TableRecord): boolean {
  return columns === null && whereFilters.length === 0 && sourceQuery === null;
}

/** The name of a table in its source, with its bucket. */
export function sourceNameOf({ sourceTable, bucket }: TableRecord): string | null {
  if (sourceTable === null || bucket === null || sourceTable.startsWith(`${bucket}.`)) return sourceTable;
  return `${bucket}.${sourceTable}`;
}
