import { isAgnesError, type Files } from "../base/mod.ts";
import { tableId, type AnalyticsTable } from "../analytics/mod.ts";
import { quoteIdentifier, type Connection } from "../duckdb/mod.ts";

/** One table of the catalog. */
export interface CatalogEntry {
  /** What to write in SQL. */
  readonly name: string;
  /** `source.table`, which never changes and also works in SQL. */
  readonly id: string;
  readonly source: string;
  readonly description: string;
  readonly mode: AnalyticsTable["mode"];
  readonly accessMode: AnalyticsTable["accessMode"];
  /** Null is unknown. */
  readonly rows: number | null;
  readonly sizeBytes: number | null;
  readonly columns: number | null;
  /** ISO 8601, UTC; null is unknown. */
  readonly extractedAt: string | null;
  /** Why an older state is shown, or null. */
  readonly staleReason: string | null;
}

/** A table and its columns. */
export interface TableDescription extends CatalogEntry {
  /** How the files of the table are read, such as `csv, delimiter ;, quote ", header, encoding utf-8`; else null. */
  readonly readAs: string | null;
  /** The primary key it was read with; empty when it has none or that is not known. */
  readonly primaryKey: readonly string[];
  readonly schema: readonly ColumnDescription[];
}

/** One column; types are DuckDB's. */
export interface ColumnDescription {
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
  readonly description: string;
}

/** A table as the catalog lists it. */
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

/** The columns as DuckDB sees them now, with what the extract says they mean. */
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

/** The name of a table that nothing else can have. */
export function quotedTable({ source, name }: AnalyticsTable): string {
  return `${quoteIdentifier(source)}.${quoteIdentifier(name)}`;
}

/** What only the extract says of a table. */
interface PublishedFacts {
  readonly columns: readonly {
    readonly name: string;
    readonly nullable: boolean;
    readonly description?: string;
  }[];
  readonly readAs: string | null;
  readonly primaryKey: readonly string[];
}

/** Facts are an extra: an extract that cannot be read now only lacks them. */
async function publishedTable(
  files: Files,
  table: AnalyticsTable,
  directory: string,
): Promise<PublishedFacts | null> {
  if (table.generation === null) return null;
  try {
    // Only here, so that a query does not pay for loading the runtime.
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
