import type { Filter, TableInfo } from "../kit/mod.ts";
import { resolveFilters } from "./filters.ts";
import { fullKeysMs } from "./full-keys.ts";
import {
  defaultGranularity,
  sourceTableNames,
  type Granularity,
  type InvalidValues,
  type QueryMode,
  type SchemaPolicy,
  type SourceQuery,
  type Strategy,
  type TableRecord,
} from "./record/mod.ts";

/** The settings that an extraction of a table uses. */
export interface ExtractionSettings {
  /** The immutable id, `<source>.<name>`. */
  readonly id: string;
  /** The name of the table in `extract.duckdb`. */
  readonly name: string;
  readonly mode: QueryMode;
  readonly strategy: Strategy;
  /** For `materialized` tables: the SQL that the source runs. */
  readonly query?: string;
  /**
   * For `materialized` tables of a plugin that declares `sourceQuery`, whose rows `read` returns: the fields of the query
   * that the plugin declares. Default: the table is not materialized, or `query` selects its rows.
   */
  readonly sourceQuery?: SourceQuery["fields"];
  /** The settings that the JSON query contains. Default: none. */
  readonly queriedParts?: readonly ("columns" | "filter")[];
  /** The maximum number of rows to publish, of those that meet all conditions. Default: all. */
  readonly limit?: number;
  /** The columns that identify a row. Without a key, incremental reads append rows. */
  readonly primaryKey: readonly string[];
  /** A column whose values only grow, such as `updated_at`. */
  readonly cursor?: string;
  /**
   * Lookback window: re-read this many days before the cursor, to catch late rows. Needs a key and a date or timestamp
   * cursor.
   */
  readonly windowDays?: number;
  /**
   * Interval in milliseconds at which a sync reads all keys of the table, to find rows that were deleted in the source.
   * Needs a key and an `incremental` or `partitioned` table. Default: never.
   */
  readonly fullKeysMs?: number;
  /**
   * On a full read, load only the last N days by a date or timestamp cursor, without rows whose cursor is null.
   * Default: all.
   */
  readonly historyDays?: number;
  /**
   * Length in days of the windows of the first load, by a date or timestamp cursor, or by the time of changes if the source
   * can read by it. Each window is published separately. Default: the table is loaded in one read.
   */
  readonly chunkDays?: number;
  /** The registered bucket, dataset or schema of the table, passed to the connector. */
  readonly bucket?: string;
  /** The columns to publish, in addition to key, cursor and partition columns. Default: all. */
  readonly columns?: readonly string[];
  /** Conditions that all rows must meet. */
  readonly filter?: readonly Filter[];
  /** For `partitioned` tables: the partition column. */
  readonly partitionBy?: string;
  /** For `partitioned` tables. Default: `month`. */
  readonly partitionGranularity?: Granularity;
  /** How to handle changes of the source's schema: `evolve` applies them if that is safe, `freeze` fails the table. */
  readonly schemaPolicy: SchemaPolicy;
  /** Whether a value that does not fit its column fails the table, or becomes null. */
  readonly invalidValues: InvalidValues;
  /** Whether rows with invalid values are quarantined instead of failing the table. */
  readonly quarantine: boolean;
  /** With `quarantine`: the percentage of the rows read that may be rejected before the table fails. */
  readonly quarantineMaxPercent: number;
  readonly description: string;
}

/**
 * Returns the settings that an extraction of a table uses.
 *
 * @param info the source's description of the table; provides the key and cursor if the record has none
 * @param now the reference date for placeholders in filters
 * @param query the JSON query of the record; see `checkedQuery`. Default: its query, if it has one, is SQL.
 */
export function extractionSettings(
  record: TableRecord,
  info: Pick<TableInfo, "primaryKey" | "cursor" | "description">,
  now: Date,
  query: SourceQuery | null = null,
): ExtractionSettings {
  const cursor = record.incrementalColumn ?? info.cursor;
  const keysMs = record.fullKeys === null ? null : fullKeysMs(record.fullKeys);
  const columns = query?.columns ?? record.columns;
  const filter = query?.filter ?? resolveFilters(record.whereFilters, now);
  const isPartitioned = record.syncStrategy === "partitioned";
  return {
    id: record.id,
    name: record.name,
    mode: record.queryMode,
    strategy: record.syncStrategy,
    primaryKey: record.primaryKey.length > 0 ? record.primaryKey : info.primaryKey,
    schemaPolicy: record.schemaPolicy,
    invalidValues: record.invalidValues,
    quarantine: record.quarantine,
    quarantineMaxPercent: record.quarantineMaxPercent,
    description: record.description || (info.description ?? ""),
    ...(record.sourceQuery === null || query !== null ? {} : { query: record.sourceQuery }),
    ...(query === null ? {} : { sourceQuery: query.fields }),
    ...queriedParts(query),
    ...(query?.limit === undefined ? {} : { limit: query.limit }),
    // A full refresh reads all rows, so it has no cursor.
    ...(cursor === undefined || record.syncStrategy === "full_refresh" ? {} : { cursor }),
    ...(record.incrementalWindowDays === null ? {} : { windowDays: record.incrementalWindowDays }),
    ...(keysMs === null ? {} : { fullKeysMs: keysMs }),
    ...(record.maxHistoryDays === null ? {} : { historyDays: record.maxHistoryDays }),
    ...(record.initialLoadChunkDays === null ? {} : { chunkDays: record.initialLoadChunkDays }),
    ...(record.bucket === null ? {} : { bucket: record.bucket }),
    ...(columns === null ? {} : { columns }),
    ...(filter.length === 0 ? {} : { filter }),
    ...(isPartitioned && record.partitionBy !== null ? { partitionBy: record.partitionBy } : {}),
    ...(isPartitioned ? { partitionGranularity: record.partitionGranularity ?? defaultGranularity } : {}),
  };
}

function queriedParts(query: SourceQuery | null): Pick<ExtractionSettings, "queriedParts"> {
  const parts = (["columns", "filter"] as const).filter((part) => query?.[part] !== undefined);
  return parts.length === 0 ? {} : { queriedParts: parts };
}

/** Finds the source's table of a record; `undefined` if the source does not have it. */
export function sourceTableOf(record: TableRecord, discovered: readonly TableInfo[]): TableInfo | undefined {
  const names = sourceTableNames(record);
  return discovered.find((info) => names.includes(info.name));
}

/** Returns `sourceTableOf` for many records, with an index of the source's tables. */
export function sourceTablesOf(
  discovered: readonly TableInfo[],
): (record: TableRecord) => TableInfo | undefined {
  const positions = new Map(discovered.map(({ name }, index) => [name, index]));
  return (record) => {
    const found = sourceTableNames(record).flatMap((name) => positions.get(name) ?? []);
    return found.length === 0 ? undefined : discovered[Math.min(...found)];
  };
}

/** The folder of a table: its own, or else the folder of its bucket. */
export function folderOf(record: TableRecord, folders: Readonly<Record<string, string>>): string | null {
  return (
    record.folder ??
    (record.bucket !== null && Object.hasOwn(folders, record.bucket) ? folders[record.bucket]! : null)
  );
}
