import { AgnesError } from "../../base/mod.ts";
import type { QueryEstimate } from "../../kit/mod.ts";
import type { TableRecord } from "../../tables/mod.ts";
import type { Alias } from "./types.ts";

/**
 * Checks that a caller with access to some tables only may read all tables of an alias. A table that is registered with
 * some of its columns, with conditions or as a query is not accessible as a whole.
 *
 * @param accessible the registered tables that the caller may access
 * @throws `alias_access_denied`, also if the source does not name the tables
 */
export function checkAccess(
  { name: alias, source, sql }: Alias,
  { referencedTables, statementType }: Pick<QueryEstimate, "referencedTables" | "statementType">,
  accessible: readonly TableRecord[],
): void {
  const deny = (reason: string) => new AgnesError("alias_access_denied", { alias, source, reason });
  if (statementType !== "SELECT") throw deny("the source does not confirm that it is a SELECT");
  if (referencedTables === undefined) throw deny("the source does not name the tables that it reads");
  const names = new Set(
    accessible.filter((record) => record.source === source && isWhole(record)).map(sourceNameOf),
  );
  const denied = referencedTables.find((name) => !names.has(name));
  if (denied === undefined) return;
  // A view may read a table whose name the caller does not know.
  const isKnown = denied.split(".").every((part) => sql.includes(part));
  throw deny(
    `it reads ${isKnown ? `the table ${denied}` : "a table"} that is not registered or not accessible`,
  );
}

function isWhole({ columns, whereFilters, sourceQuery }: TableRecord): boolean {
  return columns === null && whereFilters.length === 0 && sourceQuery === null;
}

/** The name of a table in its source, with its bucket. */
export function sourceNameOf({ sourceTable, bucket }: TableRecord): string | null {
  if (sourceTable === null || bucket === null || sourceTable.startsWith(`${bucket}.`)) return sourceTable;
  return `${bucket}.${sourceTable}`;
}
