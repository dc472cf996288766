import type { Filter, TableInfo } from "../kit/mod.ts";
import { resolveFilters } from "./filters.ts";
import {
  defaultGranularity,
  sourceTableNames,
  type Granularity,
  type QueryMode,
  type SchemaPolicy,
  type Strategy,
  type TableRecord,
} from "./record/mod.ts";

/** The settings of a table for its extraction. */
export interface ExtractionSettings {
  readonly id: string;
  /** The object in the source's extract. */
  readonly name: string;
  readonly mode: QueryMode;
  readonly strategy: Strategy;
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
  readonly partitionGranularity?: Granularity;
  readonly schemaPolicy: SchemaPolicy;
  readonly quarantine: boolean;
  readonly quarantineMaxPercent: number;
  readonly description: string;
}

/**
 * The settings of a table for its extraction.
 *
 * @param info the table as described by its source; provides the key and cursor if the record has none
 * @param now the reference date of placeholders in filters
 */
export function extractionSettings(
  record: TableRecord,
  info: Pick<TableInfo, "primaryKey" | "cursor" | "description">,
  now: Date,
): ExtractionSettings {
  const cursor = record.incrementalColumn ?? info.cursor;
  const isPartitioned = record.syncStrategy === "partitioned";
  return {
    id: record.id,
    name: record.name,
    mode: record.queryMode,
    strategy: record.syncStrategy,
    primaryKey: record.primaryKey.length > 0 ? record.primaryKey : info.primaryKey,
    schemaPolicy: record.schemaPolicy,
    quarantine: record.quarantine,
    quarantineMaxPercent: record.quarantineMaxPercent,
    description: record.description || (info.description ?? ""),
    ...(record.sourceQuery === null ? {} : { query: record.sourceQuery }),
    // A full refresh reads all rows, so it has no cursor.
    ...(cursor === undefined || record.syncStrategy === "full_refresh" ? {} : { cursor }),
    ...(record.incrementalWindowDays === null ? {} : { windowDays: record.incrementalWindowDays }),
    ...(record.maxHistoryDays === null ? {} : { historyDays: record.maxHistoryDays }),
    ...(record.initialLoadChunkDays === null ? {} : { chunkDays: record.initialLoadChunkDays }),
    ...(record.bucket === null ? {} : { bucket: record.bucket }),
    ...(record.columns === null ? {} : { columns: record.columns }),
    ...(record.whereFilters.length === 0 ? {} : { filter: resolveFilters(record.whereFilters, now) }),
    ...(isPartitioned && record.partitionBy !== null ? { partitionBy: record.partitionBy } : {}),
    ...(isPartitioned ? { partitionGranularity: record.partitionGranularity ?? defaultGranularity } : {}),
  };
}

/** The source's table of a record; `undefined` if the source does not have it. */
export function sourceTableOf(record: TableRecord, discovered: readonly TableInfo[]): TableInfo | undefined {
  const names = sourceTableNames(record);
  return discovered.find((info) => names.includes(info.name));
}

/** `sourceTableOf` for many records, with an index of the source's tables. */
export function sourceTablesOf(
  discovered: readonly TableInfo[],
): (record: TableRecord) => TableInfo | undefined {
  const places = new Map(discovered.map(({ name }, at) => [name, at]));
  return (record) => {
    const found = sourceTableNames(record).flatMap((name) => places.get(name) ?? []);
    return found.length === 0 ? undefined : discovered[Math.min(...found)];
  };
}

/** The folder of a table: its own, otherwise that of its bucket. */
export function folderOf(record: TableRecord, folders: Readonly<Record<string, string>>): string | null {
  return (
    record.folder ??
    (record.bucket !== null && Object.hasOwn(folders, record.bucket) ? folders[record.bucket]! : null)
  );
}
