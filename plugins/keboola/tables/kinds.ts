import type { StorageTable } from "../api/schemas.ts";

/** What a table is in Keboola. */
export type TableKind = "table" | "alias" | "linked" | "view" | "external";

/** The kind of a table. One in a schema of the customer's own database is external, whatever it is there. */
export function kindOf({ tableType, isAlias, bucket, sourceTable }: StorageTable): TableKind {
  const type = (tableType ?? "table").toLowerCase();
  if (bucket?.hasExternalSchema === true || type.includes("external")) return "external";
  if (type.includes("view")) return "view";
  const isLinked = bucket?.isLinkedBucket === true || (bucket?.sourceBucket ?? null) !== null;
  if (isLinked) return "linked";
  return isAlias === true || (sourceTable ?? null) !== null ? "alias" : "table";
}

/** Whether Keboola keeps the time of the import of each row, which an export of changes needs. */
export function hasTimestamps(table: StorageTable): boolean {
  const kind = kindOf(table);
  return (table.timestampType ?? "MANAGED") !== "NONE" && kind !== "external" && kind !== "view";
}
