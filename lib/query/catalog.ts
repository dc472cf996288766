import { isAgnesError, type Files } from "../base/mod.ts";
import { tableId, type AnalyticsTable } from "../analytics/mod.ts";
import { quoteIdentifier, type Connection } from "../duckdb/mod.ts";

/** One published table in the catalog. */
export interface CatalogEntry {
  /** The name of the table in SQL: its view name, or its id if it has no view name. */
  readonly name: string;
  /** `source.table`. The id never changes and is also a valid name in SQL. */
  readonly id: string;
  readonly source: string;
  /** The description of the registry, otherwise that of the source; empty if there is none. */
  readonly description: string;
  /** The query mode: `local`, `remote` or `materialized`. */
  readonly mode: AnalyticsTable["mode"];
  /** `file`: Parquet or other files; `attached`: the extract's own DuckDB file; `remote`: the source. */
  readonly accessMode: AnalyticsTable["accessMode"];
  /** The number of rows; null: unknown. */
  readonly rows: number | null;
  /** The size of the published files in bytes; null: unknown. */
  readonly sizeBytes: number | null;
  /** The number of columns; null: unknown. */
  readonly columns: number | null;
  /** The time of the last extraction, ISO 8601, UTC; null: unknown. */
  readonly extractedAt: string | null;
  /** The reason why the table is in an earlier state; null if it is current. */
  readonly staleReason: string | null;
}

/** A published table with its columns. */
export interface TableDescription extends CatalogEntry {
  /** The format of the table's files, such as `csv, delimiter ;, quote ", header, encoding utf-8`; null: not files. */
  readonly readAs: string | null;
  /** The columns of the primary key; empty if there is none or it is unknown. */
  readonly primaryKey: readonly string[];
  /** The columns, in order. */
  readonly schema: readonly ColumnDescription[];
}

/** One column of a table. */
export interface ColumnDescription {
  readonly name: string;
  /** The DuckDB type. */
  readonly type: string;
  /** Whether the column may contain NULL; true if unknown. */
  readonly nullable: boolean;
  /** The description from the source; empty if there is none. */
  readonly description: string;
}

/** Returns the catalog entry of a table. */
export function toCatalogEntry(table: AnalyticsTable): CatalogEntry {
  const { source, description, mode, accessMode, rows, sizeBytes, columns, extractedAt, staleReason } = table;
  const id = tableId(table);
  return {
    name: table.viewName ?? id,
    id,
    source,
    description,
    mode,
    accessMode,
    rows,
    sizeBytes,
    columns,
    extractedAt,
    staleReason,
  };
}

/** Describes the columns with the types of DuckDB and the descriptions of the extract. */
export async function describeTableIn(
  files: Files,
  connection: Connection,
  table: AnalyticsTable,
  directory: string | null,
): Promise<TableDescription> {
  const rows = await connection.describe(`SELECT * FROM ${quotedTable(table)}`);
  const published = directory === null ? null : await publishedTable(files, table, directory);
  const known = new Map((published?.columns ?? []).map((column) => [column.name, column]));
  const schema = rows.map((row) => ({
    ...row,
    nullable: known.get(row.name)?.nullable ?? true,
    description: known.get(row.name)?.description ?? "",
  }));
  const { readAs = null, primaryKey = [] } = published ?? {};
  return { ...toCatalogEntry(table), columns: schema.length, readAs, primaryKey, schema };
}

/** Returns the unique quoted name of a table. */
export function quotedTable({ source, name }: AnalyticsTable): string {
  return `${quoteIdentifier(source)}.${quoteIdentifier(name)}`;
}

/** Facts of a table that only its extract contains. */
interface PublishedFacts {
  readonly columns: readonly {
    readonly name: string;
    readonly nullable: boolean;
    readonly description?: string;
  }[];
  readonly readAs: string | null;
  readonly primaryKey: readonly string[];
}

/** Reads the facts of a table from its extract; null if the extract cannot be read. */
async function publishedTable(
  files: Files,
  table: AnalyticsTable,
  directory: string,
): Promise<PublishedFacts | null> {
  if (table.generation === null) return null;
  try {
    // Imported lazily: queries do not need the connector runtime.
    const { publishedKey, readExtract, fullReadingText } = await import("../extract/mod.ts");
    const extract = await readExtract(files, directory);
    const found = extract?.tables.find(({ name }) => name === table.name);
    if (found === undefined) return null;
    return {
      columns: found.columns,
      primaryKey: publishedKey(found),
      readAs: found.reading === undefined ? null : fullReadingText(found.reading),
    };
  } catch (error) {
    if (isAgnesError(error, "extract_unreadable") || isAgnesError(error, "extract_foreign")) return null;
    throw error;
  }
}
