import type { Filter, FilterValue } from "./batch.ts";

/**
 * The condition that filters stand for, in standard SQL: names in double quotes, texts in single ones. Without filters
 * it is `true`.
 *
 * @example
 * ```ts
 * import { filterToSql } from "agnes/kit";
 * filterToSql([{ column: "id", operator: "ge", values: [5] }]); // "id" >= 5
 * ```
 */
export function filterToSql(filters: readonly Filter[]): string {
  return filters.length === 0 ? "true" : filters.map(conditionOf).join(" AND ");
}

/**
 * One SELECT of a table's columns, in standard SQL: what `query` is asked for a live table unless the connector has a
 * `selectSql` of its own.
 *
 * @param path the table's name, or the parts of it, such as schema and name
 * @param wanted.columns at least one
 * @example
 * ```ts
 * import { toSelectSql } from "agnes/kit";
 * toSelectSql(["crm", "people"], { columns: ["name"], limit: 5 }); // SELECT "name" FROM "crm"."people" LIMIT 5
 * ```
 */
export function toSelectSql(
  path: readonly string[],
  wanted: {
    readonly columns: readonly string[];
    readonly filter?: readonly Filter[];
    readonly limit?: number;
  },
): string {
  const { columns, filter = [], limit } = wanted;
  const where = filter.length === 0 ? "" : ` WHERE ${filterToSql(filter)}`;
  const rows = limit === undefined ? "" : ` LIMIT ${limit}`;
  return `SELECT ${columns.map(quoted).join(", ")} FROM ${path.map(quoted).join(".")}${where}${rows}`;
}

function conditionOf({ column, operator, values }: Filter): string {
  const name = quoted(column);
  const list = values.map(literal);
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

function literal(value: FilterValue): string {
  if (value instanceof Date) return `TIMESTAMP '${value.toISOString().slice(0, -1).replace("T", " ")}'`;
  return typeof value === "string" ? `'${value.replaceAll("'", "''")}'` : String(value);
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
