import { isAgnesError } from "../base/mod.ts";
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
  readonly way: AnalyticsTable["way"];
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
  const { source, description, mode, way, rows, sizeBytes, columns, extractedAt, staleReason } = table;
  const id = tableId(table);
  return {
    name: table.viewName ?? id,
    id,
    source,
    description,
    mode,
    way,
    rows,
    sizeBytes,
    columns,
    extractedAt,
    staleReason,
  };
}

/** The columns as DuckDB sees them now, with what the extract says they mean. */
export async function describeTableIn(
  connection: Connection,
  table: AnalyticsTable,
  directory: string | null,
): Promise<TableDescription> {
  const rows = await connection.describe(`SELECT * FROM ${quotedTable(table)}`);
  const known = directory === null ? new Map<string, KnownColumn>() : await knownColumns(table, directory);
  const schema = rows.map((row) => ({
    ...row,
    nullable: known.get(row.name)?.nullable ?? true,
    description: known.get(row.name)?.description ?? "",
  }));
  return { ...toCatalogEntry(table), columns: schema.length, schema };
}

/** The name of a table that nothing else can have. */
export function quotedTable({ source, name }: AnalyticsTable): string {
  return `${quoteIdentifier(source)}.${quoteIdentifier(name)}`;
}

interface KnownColumn {
  readonly name: string;
  readonly nullable: boolean;
  readonly description?: string;
}

/** Descriptions are an extra: an extract that cannot be read now only lacks them. */
async function knownColumns(
  table: AnalyticsTable,
  directory: string,
): Promise<ReadonlyMap<string, KnownColumn>> {
  if (table.generation === null) return new Map();
  try {
    // Only here, so that a query does not pay for loading the runtime.
    const { readExtract } = await import("../extract/mod.ts");
    const extract = await readExtract(directory);
    const found = extract?.tables.find(({ name }) => name === table.name);
    return new Map((found?.columns ?? []).map((column) => [column.name, column]));
  } catch (error) {
    if (isAgnesError(error, "extract_unreadable") || isAgnesError(error, "extract_foreign")) return new Map();
    throw error;
  }
}
