import { arrow, type Filter, type FilterValue, type ReadOptions, type TableInfo } from "agnes/kit";

import { literal, quoted } from "./source.ts";

/** Returns the SELECT that reads a table. DuckDB applies columns, filter and cursor. */
export function readQuery(
  database: string,
  table: TableInfo,
  options: Pick<ReadOptions, "columns" | "filter" | "cursor" | "limit">,
): string {
  const columns = options.columns ?? table.schema.fields.map((field) => String(field.name));
  const from = [database, ...(table.remotePath ?? ["main", table.name])].map(quoted).join(".");
  const { filter = [] } = options;
  const conditions = filter.flatMap((one) => condition(one, table));
  const isComplete = conditions.length === filter.length;
  if (options.cursor !== undefined) {
    // DuckDB casts the text to the type of the compared column.
    const { column, value, inclusive } = options.cursor;
    const name = comparable(column, table) ?? quoted(column);
    const start = literal(value);
    conditions.push(inclusive ? `(${name} >= ${start} OR ${name} IS NULL)` : `${name} > ${start}`);
  }
  const where = conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
  const limit = options.limit === undefined || !isComplete ? "" : ` LIMIT ${options.limit}`;
  return `SELECT ${columns.map(quoted).join(", ")} FROM ${from}${where}${limit}`;
}

const SIGNS = { gt: ">", ge: ">=", lt: "<", le: "<=" } as const;

/** Returns a condition as SQL; none if DuckDB compares the values in another order than the published ones. The core filters again. */
function condition({ column, operator, values }: Filter, table: TableInfo): readonly string[] {
  if (operator === "is_null") return [`${quoted(column)} IS NULL`];
  if (operator === "is_not_null") return [`${quoted(column)} IS NOT NULL`];
  const isText = values.every((value) => typeof value === "string");
  const name = isText ? comparable(column, table) : quoted(column);
  return name === null ? [] : [comparison(name, operator, values)];
}

/**
 * Returns the SQL that compares a column with text in the same order as its published values: byte by byte, independent
 * of the collation of the column; null if SQL has no such text.
 */
function comparable(column: string, { schema }: TableInfo): string | null {
  const name = quoted(column);
  const field = schema.fields.find((one) => one.name === column);
  if (field === undefined || !arrow.DataType.isUtf8(field.type)) return name;
  const type = field.metadata.get("duckdb.type");
  if (type === "UNION" || type === "VARIANT") return null;
  return type === undefined ? `${name} COLLATE "binary"` : `CAST(${name} AS VARCHAR)`;
}

function comparison(
  name: string,
  operator: Exclude<Filter["operator"], "is_null" | "is_not_null">,
  values: readonly FilterValue[],
): string {
  const list = values.map(valueOf);
  if (operator === "eq") return list.length === 0 ? "false" : `${name} IN (${list.join(", ")})`;
  if (operator === "ne") return list.length === 0 ? "true" : `${name} NOT IN (${list.join(", ")})`;
  return list.length === 0
    ? "true"
    : list.map((value) => `${name} ${SIGNS[operator]} ${value}`).join(" AND ");
}

function valueOf(value: FilterValue): string {
  if (value instanceof Date) return `TIMESTAMPTZ ${literal(value.toISOString())}`;
  return typeof value === "string" ? literal(value) : String(value);
}
