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
  /** The immutable id, `source.name`. */
  readonly id: string;
  /** The name of the object in the source's `extract.duckdb`. */
  readonly name: string;
  readonly mode: QueryMode;
  readonly strategy: Strategy;
  /** For `materialized`: the SQL that the source runs. */
  readonly query?: string;
  /** The columns that identify a row; without them rows can only be appended. */
  readonly primaryKey: readonly string[];
  /** The column whose values only grow. */
  readonly cursor?: string;
  /** How many days before the cursor a read starts, for rows that come late; for tables with a key and a cursor of time. */
  readonly windowDays?: number;
  /** How many days back a read of the whole goes, by a cursor of time; rows without one stay out. Default: everything. */
  readonly historyDays?: number;
  /**
   * With how many days a window of the first load is, by a cursor of time; each is published by itself. Default: all is
   * read at once.
   */
  readonly chunkDays?: number;
  /** The bucket, dataset or schema of the table, as registered; passed to the connector. */
  readonly bucket?: string;
  /** The columns to publish. Default: all. Key, cursor and partition columns always are. */
  readonly columns?: readonly string[];
  /** Conditions, ANDed, that rows must meet. */
  readonly filter?: readonly Filter[];
  /** For `partitioned`: the column that decides. */
  readonly partitionBy?: string;
  /** For `partitioned`. Default `month`. */
  readonly partitionGranularity?: Granularity;
  /** What a change of the source's schema does: `evolve` follows it when that is safe, `freeze` fails the table. */
  readonly schemaPolicy: SchemaPolicy;
  /** Whether rows with a value that does not fit are rejected one by one instead of failing the table. */
  readonly quarantine: boolean;
  /** With `quarantine`: the share of rows, in percent of those read, that may be rejected before the table fails. */
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
