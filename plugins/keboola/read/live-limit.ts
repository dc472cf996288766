import type { ReadOptions } from "agnes/kit";

import { statusOf } from "../api/api.ts";
import { errors } from "../errors.ts";
import type { ExportRequest } from "../export/export.ts";
import { kindOf } from "../tables/kinds.ts";
import type { StorageTable } from "../api/schemas.ts";
import type { Source } from "../source.ts";
import type { FoundTable } from "../tables/tables.ts";

/** What a row of a table counts if Keboola does not report the size of the table. */
const UNKNOWN_ROW_BYTES = 1024 ** 2;

/** The size of a table, as far as Keboola reports it. */
interface TableSize {
  readonly tableBytes: number | null;
  /** The average. */
  readonly rowBytes: number | null;
}

const UNKNOWN: TableSize = { tableBytes: null, rowBytes: null };

/**
 * Rejects an export of more than `remoteMaxBytes` for a query. A sync exports any table. How many rows meet a condition is not
 * known before the export, so a condition that Keboola applies is always sufficient.
 * @throws `keboola/condition_required`
 */
export async function checkLiveSize(
  source: Source,
  found: FoundTable,
  { whereFilters, limit }: Pick<ExportRequest, "whereFilters" | "limit">,
  { directory, signal }: Pick<ReadOptions, "directory" | "signal">,
): Promise<void> {
  const { remoteMaxBytes } = source.settings;
  if (directory !== undefined || remoteMaxBytes === null || whereFilters.length > 0) return;
  const own = sizeOf(found.table);
  const { tableBytes, rowBytes } = own.tableBytes === null ? await sourceSizeOf(source, found, signal) : own;
  if (tableBytes !== null && tableBytes <= remoteMaxBytes) return;
  const rowsMax = Math.floor(remoteMaxBytes / (rowBytes ?? UNKNOWN_ROW_BYTES));
  if (limit !== undefined && limit <= rowsMax) return;
  const { id: table } = found.table;
  throw errors.condition_required({ table, tableBytes, remoteMaxBytes, rowsMax, limit: limit ?? null });
}

function sizeOf(table: StorageTable): TableSize {
  const kind = kindOf(table);
  const { dataSizeBytes: tableBytes = null, rowsCount } = table;
  // Figures of a view and of an external table are those of its last refresh, or none.
  if (kind === "view" || kind === "external" || tableBytes === null) return UNKNOWN;
  const isCounted = typeof rowsCount === "number" && rowsCount > 0 && tableBytes > 0;
  return { tableBytes, rowBytes: isCounted ? tableBytes / rowsCount : null };
}

/** The size of the table that an alias shows a part of. */
async function sourceSizeOf(
  source: Source,
  { table, branch }: FoundTable,
  signal: AbortSignal,
): Promise<TableSize> {
  const { sourceTable } = table;
  const { owner } = await source.token.get(signal);
  if (kindOf(table) !== "alias" || sourceTable?.project?.id !== owner.id) return UNKNOWN;
  try {
    const shown = await source.tables.getFrom(sourceTable.id, branch, signal);
    return shown === null ? UNKNOWN : sizeOf(shown);
  } catch (error) {
    // The token may read the alias alone.
    if (statusOf(error) !== 403) throw error;
    return UNKNOWN;
  }
}
