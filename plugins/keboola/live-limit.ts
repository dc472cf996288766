import type { ReadOptions } from "agnes/kit";

import { errors } from "./errors.ts";
import type { ExportRequest } from "./export.ts";
import { kindOf } from "./kinds.ts";
import type { Settings } from "./options.ts";
import type { StorageTable } from "./schemas.ts";

/**
 * Refuses to export all of a large table for a query. A sync exports any table.
 * @throws `keboola/condition_required`
 */
export function checkLiveSize(
  table: StorageTable,
  { whereFilters, limit }: Pick<ExportRequest, "whereFilters" | "limit">,
  { directory }: Pick<ReadOptions, "directory">,
  { remoteMaxBytes }: Pick<Settings, "remoteMaxBytes">,
): void {
  if (directory !== undefined || remoteMaxBytes === null) return;
  if (whereFilters.length > 0 || limit !== undefined) return;
  const tableBytes = sizeOf(table);
  if (tableBytes !== null && tableBytes <= remoteMaxBytes) return;
  throw errors.condition_required({ table: table.id, tableBytes, remoteMaxBytes });
}

/** The size of a table; null if it is not known. */
function sizeOf(table: StorageTable): number | null {
  const kind = kindOf(table);
  // Figures of a view and of an external table are those of its last refresh, or none.
  return kind === "view" || kind === "external" ? null : (table.dataSizeBytes ?? null);
}
