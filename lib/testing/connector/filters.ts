import * as arrow from "apache-arrow";

import { quoteIdentifier, quoteLiteral } from "../../duckdb/mod.ts";
import type { Filter, FilterValue, TableInfo } from "../../kit/mod.ts";
import { fieldOf, namesOf, type Workbench } from "./rows.ts";

/** A filter in the neutral form and in SQL. */
export interface ChosenFilter {
  readonly filter: readonly Filter[];
  readonly sql: string;
}

/** Filters over the first columns whose values can be compared, each around a value that is really there. */
export async function chooseFilters(
  bench: Workbench,
  info: TableInfo,
  all: string,
): Promise<readonly ChosenFilter[]> {
  const chosen: ChosenFilter[] = [];
  for (const column of namesOf(info)
    .filter((name) => isComparable(info, name))
    .slice(0, 4)) {
    const middle = await middleOf(bench, all, column);
    if (middle === null) continue;
    const value = valueOf(info, column, middle);
    const name = quoteIdentifier(column);
    const literal = quoteLiteral(middle);
    const one = (operator: Filter["operator"], sign: string): ChosenFilter => ({
      filter: [{ column, operator, values: [value] }],
      sql: `${name} ${sign} ${literal}`,
    });
    chosen.push(one("eq", "="), one("ne", "<>"));
    chosen.push({ filter: [{ column, operator: "is_null", values: [] }], sql: `${name} IS NULL` });
    chosen.push({ filter: [{ column, operator: "is_not_null", values: [] }], sql: `${name} IS NOT NULL` });
    if (typeof value !== "boolean")
      chosen.push(one("gt", ">"), one("ge", ">="), one("lt", "<"), one("le", "<="));
  }
  const [first, ...others] = chosen;
  const other = others.at(-1);
  return first === undefined || other === undefined
    ? chosen
    : [...chosen, { filter: [...first.filter, ...other.filter], sql: `${first.sql} AND ${other.sql}` }];
}

async function middleOf(bench: Workbench, all: string, column: string): Promise<string | null> {
  const name = quoteIdentifier(column);
  const [row] = await bench.connection.rows<{ value: string | null }>(
    `SELECT CAST(quantile_disc(${name}, 0.5) AS VARCHAR) AS value FROM ${all}`,
  );
  return row?.value ?? null;
}

function isComparable(info: TableInfo, column: string): boolean {
  const { type } = fieldOf(info, column);
  const { DataType } = arrow;
  return (
    DataType.isInt(type) ||
    DataType.isUtf8(type) ||
    DataType.isBool(type) ||
    DataType.isDate(type) ||
    (DataType.isTimestamp(type) && !type.timezone)
  );
}

function valueOf(info: TableInfo, column: string, text: string): FilterValue {
  const { type } = fieldOf(info, column);
  if (arrow.DataType.isInt(type)) return BigInt(text);
  if (arrow.DataType.isBool(type)) return text === "true";
  return text;
}
