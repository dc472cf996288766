import type { TablePlan } from "../extract/mod.ts";
import { table, type TableInfo } from "../kit/mod.ts";
import { registeredTable } from "../sources/mod.ts";
import { extractionSettings, sourceTablesOf, type TableRecord } from "../tables/mod.ts";

/** What a run of one source is to do. */
export interface SourcePlan {
  readonly tables: readonly TablePlan[];
  /** Registered tables that the source does not have any more: what is published of them stays. */
  readonly vanished: readonly TableRecord[];
}

/**
 * Brings together what is registered and what the source has.
 *
 * A materialized table is the answer to its own query and needs no counterpart in the source. A plugin without
 * `discover` is asked for what is registered; the columns come with the first rows.
 *
 * @param discovered what the source has; `null` when its plugin cannot list it
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
    const info = record.source_query === null ? sourceTable(record) : table(record.name, {});
    if (info === undefined) vanished.push(record);
    else tables.push({ info, ...extractionSettings(record, info, now), ...columnsFrom });
  }
  return { tables, vanished };
}
