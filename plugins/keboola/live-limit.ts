import type { ReadOptions } from "agnes/kit";

import { statusOf } from "./api.ts";
import { errors } from "./errors.ts";
import type { ExportRequest } from "./export.ts";
import { kindOf } from "./kinds.ts";
import type { StorageTable } from "./schemas.ts";
import type { Source } from "./source.ts";
import type { FoundTable } from "./tables.ts";

/**
 * Refuses to export all of a large table for a query. A sync exports any table.
 * @throws `keboola/condition_required`
 */
export async function checkLiveSize(
  source: Source,
  found: FoundTable,
  { whereFilters, limit }: Pick<ExportRequest, "whereFilters" | "limit">,
  { directory, signal }: Pick<ReadOptions, "directory" | "signal">,
): Promise<void> {
  const { remoteMaxBytes } = source.settings;
  if (directory !== undefined || remoteMaxBytes === null) return;
  if (whereFilters.length > 0 || limit !== undefined) return;
  const tableBytes = sizeOf(found.table) ?? (await sourceSizeOf(source, found, signal));
  if (tableBytes !== null && tableBytes <= remoteMaxBytes) return;
  throw errors.condition_required({ table: found.table.id, tableBytes, remoteMaxBytes });
}

/** The size of a table; null if it is not known. */
function sizeOf(table: StorageTable): number | null {
  const kind = kindOf(table);
  // Figures of a view and of an external table are those of its last refresh, or none.
  return kind === "view" || kind === "external" ? null : (table.dataSizeBytes ?? null);
}

/** The size of the table that an alias shows a part of; null if it is not known. */
async function sourceSizeOf(
  source: Source,
  { table, branch }: FoundTable,
  signal: AbortSignal,
): Promise<number | null> {
  const { sourceTable } = table;
  const { owner } = await source.token.get(signal);
  if (kindOf(table) !== "alias" || sourceTable?.project?.id !== owner.id) return null;
  try {
    const shown = await source.tables.getFrom(sourceTable.id, branch, signal);
    return shown === null ? null : sizeOf(shown);
  } catch (error) {
    // The token may read the alias alone.
    if (statusOf(error) !== 403) throw error;
    return null;
  }
}
