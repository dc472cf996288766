import * as arrow from "apache-arrow";

import { quoteIdentifier, quoteLiteral } from "../../duckdb/mod.ts";
import type { Filter, FilterValue, TableInfo } from "../../kit/mod.ts";
import { fieldOf, namesOf, type Workbench } from "./rows.ts";

const SIGNS: Readonly<Record<Filter["operator"], string>> = {
  eq: "=",
  ge: ">=",
  gt: ">",
  ne: "<>",
  lt: "<",
  le: "<=",
  is_null: "IS NULL",
  is_not_null: "IS NOT NULL",
};
const ORDERINGS: ReadonlySet<Filter["operator"]> = new Set(["ge", "gt", "lt", "le"]);

/** A filter as an object and as SQL. */
export interface ChosenFilter {
  readonly filter: readonly Filter[];
  readonly sql: string;
}

/**
 * Returns filters on the first comparable columns and the first decimal one, each with an existing value. Every operator
 * is tested, but not on every column, because each filter costs a read.
 */
export async function chooseFilters(
  bench: Workbench,
  info: TableInfo,
  all: string,
): Promise<readonly ChosenFilter[]> {
  const columns: { readonly isOrdered: boolean; by(operator: Filter["operator"]): ChosenFilter }[] = [];
  const names = namesOf(info);
  const decimal = names.find((name) => isDecimal(info, name));
  for (const column of [
    ...names.filter((name) => isComparable(info, name)).slice(0, 4),
    ...(decimal === undefined ? [] : [decimal]),
  ]) {
    const middle = await middleOf(bench, all, column);
    if (middle === null) continue;
    const value = valueOf(info, column, middle);
    const [name, literal] = [quoteIdentifier(column), quoteLiteral(middle)];
    columns.push({
      isOrdered: typeof value !== "boolean",
      by: (operator) => {
        const isOfNull = operator === "is_null" || operator === "is_not_null";
        return {
          filter: [
            isOfNull
              ? { column, operator, values: [] }
              : { column, operator, values: [value], ...(column === decimal && { isDecimal: true }) },
          ],
          sql: `${name} ${SIGNS[operator]}${isOfNull ? "" : ` ${literal}`}`,
        };
      },
    });
  }
  const operators = Object.keys(SIGNS) as Filter["operator"][];
  const chosen = operators.flatMap((operator, at) => {
    const fit = columns.filter(({ isOrdered }) => isOrdered || !ORDERINGS.has(operator));
    return fit[at % fit.length]?.by(operator) ?? [];
  });
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

function isDecimal(info: TableInfo, column: string): boolean {
  return arrow.DataType.isDecimal(fieldOf(info, column).type);
}

function valueOf(info: TableInfo, column: string, text: string): FilterValue {
  const { type } = fieldOf(info, column);
  if (arrow.DataType.isInt(type)) return BigInt(text);
  if (arrow.DataType.isBool(type)) return text === "true";
  return text;
}
