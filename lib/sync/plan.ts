import type { TablePlan } from "../extract/mod.ts";
import { table, type TableInfo } from "../kit/mod.ts";
import { registeredTable } from "../sources/mod.ts";
import { extractionSettings, sourceTablesOf, type TableRecord } from "../tables/mod.ts";

/** The plan of a run of one source. */
export interface SourcePlan {
  readonly tables: readonly TablePlan[];
  /** Registered tables that the source no longer has. Their published data stays. */
  readonly vanished: readonly TableRecord[];
}

/**
 * Combines the registered tables with those of the source.
 *
 * A materialized table is the result of its own query and needs no counterpart in the source. Without `discover`, the
 * registered tables are read, and their columns come with the first rows.
 *
 * @param discovered the tables of the source; `null` if its plugin cannot list them
 */
export function planSource(
  records: readonly TableRecord[],
  discovered: readonly TableInfo[] | null,
  now: Date,
): SourcePlan {
  const tables: TablePlan[] = [];
  const vanished: TableRecord[] = [];
  const sourceTable = discovered === null ? registeredTable : sourceTablesOf(discovered);
  const columnsFrom = discovered === null ? ({ columnsFrom: "read" } as const) : {};
  for (const record of records) {
    const info = record.sourceQuery === null ? sourceTable(record) : table(record.name, {});
    if (info === undefined) vanished.push(record);
    else tables.push({ info, ...extractionSettings(record, info, now), ...columnsFrom });
  }
  return { tables, vanished };
}
