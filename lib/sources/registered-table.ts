import { table, type TableInfo } from "../kit/mod.ts";
import type { TableRecord } from "../tables/mod.ts";

/** A table as its registration describes it. */
export function registeredTable(record: TableRecord): TableInfo {
  const { name, source_table: sourceTable, primary_key: primaryKey, incremental_column: cursor } = record;
  return table(sourceTable ?? name, {}, { primaryKey, ...(cursor === null ? {} : { cursor }) });
}
