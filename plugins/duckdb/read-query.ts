import {
  AgnesError,
  arrow,
  filterToSql,
  quoteIdentifier,
  quoteLiteral,
  type Cursor,
  type Filter,
  type ReadOptions,
  type TableInfo,
} from "agnes/kit";

/** Returns the SELECT that reads a table. DuckDB applies columns, filter and cursor. */
export function readQuery(
  database: string,
  table: TableInfo,
  options: Pick<ReadOptions, "columns" | "filter" | "cursor" | "limit">,
): string {
  const columns = options.columns ?? table.schema.fields.map((field) => String(field.name));
  const path = [database, ...(table.remotePath ?? ["main", table.name])];
  const from = path.map((name) => quoteIdentifier(name)).join(".");
  const { filter = [], cursor, limit } = options;
  const all = [
    ...filter.map((one) => filterCondition(one, table)),
    ...(cursor === undefined ? [] : [cursorCondition(cursor, table)]),
  ];
  const conditions = all.filter((condition) => condition !== null);
  const where = conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
  const rows = limit === undefined || conditions.length < all.length ? "" : ` LIMIT ${limit}`;
  return `SELECT ${columns.map((name) => quoteIdentifier(name)).join(", ")} FROM ${from}${where}${rows}`;
}

/**
 * Returns a filter as SQL; null if DuckDB compares the values in another order than the published ones, or has no exact
 * literal for them. The rows are filtered again.
 */
function filterCondition(filter: Filter, table: TableInfo): string | null {
  const isText = filter.values.length > 0 && filter.values.every((value) => typeof value === "string");
  const column = isText ? comparable(filter.column, table) : quoteIdentifier(filter.column);
  if (column === null) return null;
  try {
    return filterToSql([filter], "ansi", () => column);
  } catch (error) {
    if (error instanceof AgnesError && error.code === "literal_unsupported") return null;
    throw error;
  }
}

/** Returns the condition of a cursor as SQL. DuckDB casts the text to the type of the compared column. */
function cursorCondition({ column, value, inclusive }: Cursor, table: TableInfo): string {
  const name = comparable(column, table) ?? quoteIdentifier(column);
  const start = quoteLiteral(value);
  return inclusive ? `(${name} >= ${start} OR ${name} IS NULL)` : `${name} > ${start}`;
}

/**
 * Returns the SQL that compares a column with text in the same order as its published values: byte by byte, independent
 * of the collation of the column; null if SQL has no such text.
 */
function comparable(column: string, { schema }: TableInfo): string | null {
  const name = quoteIdentifier(column);
  const field = schema.fields.find((one) => one.name === column);
  if (field === undefined || !arrow.DataType.isUtf8(field.type)) return name;
  const type = field.metadata.get("duckdb.type");
  if (type === "UNION" || type === "VARIANT") return null;
  return type === undefined ? `${name} COLLATE "binary"` : `CAST(${name} AS VARCHAR)`;
}
