import type { Filter, FilterValue } from "../batch.ts";
import { quoteIdentifier, quoteLiteral, type SqlDialect } from "./dialect.ts";

/**
 * Returns the SQL condition for filters, ANDed; `true` if there are none.
 *
 * Text is compared with the collation of the engine, so push down text comparisons only to an engine that compares
 * bytes, or to columns with such a collation in `columnSql`. A `Date` is a timestamp in UTC: a Snowflake session needs `TIMEZONE = 'UTC'`, and BigQuery DATETIME columns
 * reject it. BigQuery excludes `NaN` from `gt` and `ge`, DuckDB does not.
 *
 * @param dialect default: `ansi`
 * @param columnSql returns the expression to compare for a column; default: its quoted name
 * @throws `literal_unsupported`, `invalid_identifier` if the dialect cannot represent a value or a name
 * @example
 * ```ts
 * import { filterToSql } from "agnes/kit";
 * filterToSql([{ column: "id", operator: "ge", values: [5] }]); // ("id" >= 5)
 * filterToSql([{ column: "id", operator: "eq", values: [5] }], "bigquery"); // `id` IN (5)
 * filterToSql([{ column: "name", operator: "gt", values: ["b"] }], "ansi", () => 'name COLLATE "C"');
 * ```
 */
export function filterToSql(
  filters: readonly Filter[],
  dialect: SqlDialect = "ansi",
  columnSql = (column: string): string => quoteIdentifier(column, dialect),
): string {
  const conditions = filters.map((filter) => conditionOf(filter, columnSql(filter.column), dialect));
  return conditions.length === 0 ? "true" : conditions.join(" AND ");
}

/**
 * Returns a SELECT of a table's columns, which `query` runs for a live table unless the connector implements
 * `selectSql`.
 *
 * @param path the parts of the table's name, such as schema and name
 * @param request.columns at least one
 * @param dialect default: `ansi`
 * @throws `literal_unsupported`, `invalid_identifier` if the dialect cannot represent a value or a name
 * @example
 * ```ts
 * import { toSelectSql } from "agnes/kit";
 * toSelectSql(["crm", "people"], { columns: ["name"], limit: 5 }); // SELECT "name" FROM "crm"."people" LIMIT 5
 * ```
 */
export function toSelectSql(
  path: readonly string[],
  request: {
    readonly columns: readonly string[];
    readonly filter?: readonly Filter[];
    readonly limit?: number;
  },
  dialect: SqlDialect = "ansi",
): string {
  const quoted = (name: string) => quoteIdentifier(name, dialect);
  const { columns, filter = [], limit } = request;
  const where = filter.length === 0 ? "" : ` WHERE ${filterToSql(filter, dialect)}`;
  const rows = limit === undefined ? "" : ` LIMIT ${limit}`;
  return `SELECT ${columns.map(quoted).join(", ")} FROM ${path.map(quoted).join(".")}${where}${rows}`;
}

/** Engines convert a text to the type of the column in different ways, or not at all. */
function literalOf(value: FilterValue, isDecimal: boolean, dialect: SqlDialect): string {
  if (!isDecimal || typeof value !== "string" || !/^-?\d+(?:\.\d+)?$/.test(value))
    return quoteLiteral(value, dialect);
  return dialect === "bigquery" ? `BIGNUMERIC '${value}'` : value;
}

function conditionOf(
  { operator, values, isDecimal = false }: Filter,
  name: string,
  dialect: SqlDialect,
): string {
  const list = values.map((value) => literalOf(value, isDecimal, dialect));
  switch (operator) {
    case "is_null":
      return `${name} IS NULL`;
    case "is_not_null":
      return `${name} IS NOT NULL`;
    case "eq":
      return list.length === 0 ? "false" : `${name} IN (${list.join(", ")})`;
    case "ne":
      return list.length === 0 ? "true" : `${name} NOT IN (${list.join(", ")})`;
    case "gt":
    case "ge":
    case "lt":
    case "le": {
      const sign = { gt: ">", ge: ">=", lt: "<", le: "<=" }[operator];
      const all = list.map((value) => `${name} ${sign} ${value}`).join(" AND ");
      return list.length === 0 ? "true" : `(${all})`;
    }
  }
}
