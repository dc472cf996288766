import type { Filter, TableInfo } from "../kit/mod.ts";
import { resolveFilters } from "./filters.ts";
import { sourceTableNames, type TableRecord } from "./record/mod.ts";

/** What the registry tells the extraction of one table. */
export interface ExtractionSettings {
  readonly id: string;
  /** The object in the source's extract. */
  readonly name: string;
  readonly mode: "local" | "remote" | "materialized";
  readonly strategy: "full_refresh" | "incremental" | "partitioned";
  readonly query?: string;
  readonly primaryKey: readonly string[];
  readonly cursor?: string;
  readonly windowDays?: number;
  readonly historyDays?: number;
  readonly chunkDays?: number;
  readonly bucket?: string;
  readonly columns?: readonly string[];
  readonly filter?: readonly Filter[];
  readonly partitionBy?: string;
  readonly partitionGranularity?: "day" | "month" | "year";
  readonly schemaPolicy: "evolve" | "freeze";
  readonly quarantine: boolean;
  readonly quarantineMaxPercent: number;
  readonly description: string;
}

/**
 * What the registry tells the extraction of one table.
 *
 * @param info the table as its source describes it; gives the key and cursor that the record leaves open
 * @param now the day that placeholders in the filters are counted from
 */
export function extractionSettings(
  record: TableRecord,
  info: Pick<TableInfo, "primaryKey" | "cursor" | "description">,
  now: Date,
): ExtractionSettings {
  const cursor = record.incremental_column ?? info.cursor;
  const isPartitioned = record.sync_strategy === "partitioned";
  return {
    id: record.id,
    name: record.name,
    mode: record.query_mode,
    strategy: record.sync_strategy,
    primaryKey: record.primary_key.length > 0 ? record.primary_key : info.primaryKey,
    schemaPolicy: record.schema_policy,
    quarantine: record.quarantine,
    quarantineMaxPercent: record.quarantine_max_percent,
    description: record.description || (info.description ?? ""),
    ...(record.source_query === null ? {} : { query: record.source_query }),
    // A full refresh reads everything, so a cursor would only be a promise that nobody keeps.
    ...(cursor === undefined || record.sync_strategy === "full_refresh" ? {} : { cursor }),
    ...(record.incremental_window_days === null ? {} : { windowDays: record.incremental_window_days }),
    ...(record.max_history_days === null ? {} : { historyDays: record.max_history_days }),
    ...(record.initial_load_chunk_days === null ? {} : { chunkDays: record.initial_load_chunk_days }),
    ...(record.bucket === null ? {} : { bucket: record.bucket }),
    ...(record.columns === null ? {} : { columns: record.columns }),
    ...(record.where_filters.length === 0 ? {} : { filter: resolveFilters(record.where_filters, now) }),
    ...(isPartitioned && record.partition_by !== null ? { partitionBy: record.partition_by } : {}),
    ...(isPartitioned ? { partitionGranularity: record.partition_granularity ?? "month" } : {}),
  };
}

/** The table of a source that a record speaks of; `undefined` when the source does not have it. */
export function sourceTableOf(record: TableRecord, discovered: readonly TableInfo[]): TableInfo | undefined {
  const names = sourceTableNames(record);
  return discovered.find((info) => names.includes(info.name));
}

/** Finds the tables of many records as `sourceTableOf` does, without going through all of them for each. */
export function sourceTablesOf(
  discovered: readonly TableInfo[],
): (record: TableRecord) => TableInfo | undefined {
  const places = new Map(discovered.map(({ name }, at) => [name, at]));
  return (record) => {
    const found = sourceTableNames(record).flatMap((name) => places.get(name) ?? []);
    return found.length === 0 ? undefined : discovered[Math.min(...found)];
  };
}

/** The folder of a table: its own, else that of its bucket. */
export function folderOf(record: TableRecord, folders: Readonly<Record<string, string>>): string | null {
  return (
    record.folder ??
    (record.bucket !== null && Object.hasOwn(folders, record.bucket) ? folders[record.bucket]! : null)
  );
}
