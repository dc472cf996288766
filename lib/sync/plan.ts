import type { TablePlan } from "../extract/mod.ts";
import { table, type TableInfo } from "../kit/mod.ts";
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
 * A materialized table is the answer to its own query and needs no counterpart in the source.
 */
export function planSource(
  records: readonly TableRecord[],
  discovered: readonly TableInfo[],
  now: Date,
): SourcePlan {
  const tables: TablePlan[] = [];
  const vanished: TableRecord[] = [];
  const sourceTable = sourceTablesOf(discovered);
  for (const record of records) {
    const info = record.source_query === null ? sourceTable(record) : table(record.name, {});
    if (info === undefined) vanished.push(record);
    else tables.push({ info, ...extractionSettings(record, info, now) });
  }
  return { tables, vanished };
}
