import type { Filter, FilterValue, ReadOptions, TableInfo } from "agnes/kit";

import { literal, quoted } from "./source.ts";

/** The SELECT that reads a table: columns, filter and cursor are DuckDB's work. */
export function readQuery(
  database: string,
  table: TableInfo,
  options: Pick<ReadOptions, "columns" | "filter" | "cursor" | "limit">,
): string {
  const columns = options.columns ?? table.schema.fields.map((field) => String(field.name));
  const from = [database, ...(table.remotePath ?? ["main", table.name])].map(quoted).join(".");
  const conditions = (options.filter ?? []).map(condition);
  if (options.cursor !== undefined) {
    // DuckDB gives the text the type of the column it is compared with.
    const { column, value, inclusive } = options.cursor;
    const name = quoted(column);
    const start = literal(value);
    conditions.push(inclusive ? `(${name} >= ${start} OR ${name} IS NULL)` : `${name} > ${start}`);
  }
  const where = conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
  const limit = options.limit === undefined ? "" : ` LIMIT ${options.limit}`;
  return `SELECT ${columns.map(quoted).join(", ")} FROM ${from}${where}${limit}`;
}

const SIGNS = { gt: ">", ge: ">=", lt: "<", le: "<=" } as const;

function condition({ column, operator, values }: Filter): string {
  const name = quoted(column);
  if (operator === "is_null") return `${name} IS NULL`;
  if (operator === "is_not_null") return `${name} IS NOT NULL`;
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
