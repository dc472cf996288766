import { table, type TableInfo } from "../kit/mod.ts";
import type { TableRecord } from "../tables/mod.ts";

/** Returns the description of a table from its registration. */
export function registeredTable(record: TableRecord): TableInfo {
  const { name, sourceTable, primaryKey, incrementalColumn: cursor } = record;
  return table(sourceTable ?? name, {}, { primaryKey, ...(cursor === null ? {} : { cursor }) });
}
