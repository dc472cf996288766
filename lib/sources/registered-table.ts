import { table, type TableInfo } from "../kit/mod.ts";
import type { TableRecord } from "../tables/mod.ts";

/** A table as its registration describes it. */
export function registeredTable(record: TableRecord): TableInfo {
  const { name, sourceTable, primaryKey, incrementalColumn: cursor } = record;
  return table(sourceTable ?? name, {}, { primaryKey, ...(cursor === null ? {} : { cursor }) });
}
