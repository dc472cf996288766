import { quoteLiteral, type Connection } from "../../duckdb/mod.ts";
import type { Filter, FilterValue, SourceComparison } from "../../kit/mod.ts";
import { castDecimal, constantDecimal, decimalTypeOf, fitDecimal, formatDecimalType } from "./decimals.ts";
import { columnNamesOf, isNode, textOf, wholeNumberOf, type Node } from "./tree.ts";

/** Classes of column types that all connectors can compare with constants. */
export type ValueClass = "whole" | "decimal" | "text" | "bool" | "date" | "timestamp";

const WHOLE = /^U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?$/;

/** Returns the class of a DuckDB type; null for types whose comparison differs between engines. */
export function classOf(type: string): ValueClass | null {
  if (WHOLE.test(type)) return "whole";
  if (decimalTypeOf(type) !== null) return "decimal";
  const others: Readonly<Record<string, ValueClass>> = {
    VARCHAR: "text",
    BOOLEAN: "bool",
    DATE: "date",
    TIMESTAMP: "timestamp",
  };
  return others[type] ?? null;
}

/** Returns the column of the table with a name; null if it belongs to another table or is ambiguous. */
export type ColumnFinder = (
  names: readonly string[],
) => { readonly name: string; readonly type: string } | null;

export const OPERATORS: Readonly<Record<string, SourceComparison>> = {
  COMPARE_EQUAL: "eq",
  COMPARE_NOTEQUAL: "ne",
  COMPARE_LESSTHAN: "lt",
  COMPARE_LESSTHANOREQUALTO: "le",
  COMPARE_GREATERTHAN: "gt",
  COMPARE_GREATERTHANOREQUALTO: "ge",
};
const MIRRORED: Readonly<Partial<Record<Filter["operator"], Filter["operator"]>>> = {
  lt: "gt",
  le: "ge",
  gt: "lt",
  ge: "le",
};
/** The maximum number of values in a filter that is pushed down. */
export const VALUES_MAX = 10_000;

/** A condition whose constants are not yet converted to the column's type. */
interface Draft {
  readonly column: string;
  readonly type: string;
  readonly operator: Filter["operator"];
  readonly constants: readonly unknown[];
}

/**
 * Converts a conjunct to filters: comparisons of a column with constants, IN, BETWEEN, IS [NOT] NULL. Empty for other
 * conditions.
 */
export async function filtersOf(
  connection: Connection,
  conjunct: Node,
  find: ColumnFinder,
): Promise<readonly Filter[]> {
  const filters: Filter[] = [];
  for (const { column, type, operator, constants } of draftsOf(conjunct, find)) {
    if (constants.length === 0) {
      filters.push({ column, operator, values: [] });
      continue;
    }
    const values = await valuesOf(connection, constants, type);
    if (values === null) return [];
    // `x IN (1, NULL)` is true for 1 only. `x NOT IN (1, NULL)` and `x = NULL` are true for no row; DuckDB handles these.
    const known = values.filter((value) => value !== null);
    if (known.length === 0) return [];
    filters.push({
      column,
      operator,
      values: known,
      ...(classOf(type) === "decimal" && { isDecimal: true }),
    });
  }
  return filters;
}

function draftsOf(node: Node, find: ColumnFinder): readonly Draft[] {
  const draft = (
    of: unknown,
    operator: Filter["operator"],
    constants: readonly unknown[],
  ): readonly Draft[] => {
    const names = columnNamesOf(of);
    const column = names === null ? null : find(names);
    return column === null ? [] : [{ column: column.name, type: column.type, operator, constants }];
  };
  const type = textOf(node["type"]);
  const children = (node["children"] ?? []) as readonly unknown[];
  switch (node["class"]) {
    case "COMPARISON": {
      const operator = OPERATORS[type];
      if (operator === undefined) return [];
      return columnNamesOf(node["left"]) === null
        ? draft(node["right"], MIRRORED[operator] ?? operator, [node["left"]])
        : draft(node["left"], operator, [node["right"]]);
    }
    case "BETWEEN":
      return [...draft(node["input"], "ge", [node["lower"]]), ...draft(node["input"], "le", [node["upper"]])];
    case "OPERATOR":
      if (type === "OPERATOR_IS_NULL") return draft(children[0], "is_null", []);
      if (type === "OPERATOR_IS_NOT_NULL") return draft(children[0], "is_not_null", []);
      if (type !== "COMPARE_IN" && type !== "COMPARE_NOT_IN") return [];
      if (children.length < 2 || children.length > VALUES_MAX + 1) return [];
      return draft(children[0], type === "COMPARE_IN" ? "eq" : "ne", children.slice(1));
    default:
      return [];
  }
}

/** Converts constants to a column's type as DuckDB would; null if the conversion is not exact. */
export async function valuesOf(
  connection: Connection,
  constants: readonly unknown[],
  type: string,
): Promise<readonly (FilterValue | null)[] | null> {
  const target = classOf(type);
  const values: (FilterValue | null)[] = [];
  for (const node of constants) {
    const constant = constantOf(node);
    if (constant === null) return null;
    if (constant.value === null) values.push(null);
    else if (target === "decimal") {
      const text = await decimalOf(connection, constant, type);
      if (text === null) return null;
      values.push(text);
    } else if (constant.is === target && target !== "date" && target !== "timestamp")
      values.push(constant.value);
    else if ((target === "date" || target === "timestamp") && isMoment(constant.is, target)) {
      const text = await castText(connection, String(constant.value), type);
      if (text === null) return null;
      values.push(text);
    } else return null;
  }
  return values;
}

/** Returns a number as a decimal of the column's type; null for other constants, which DuckDB compares in another type. */
async function decimalOf(connection: Connection, constant: Constant, type: string): Promise<string | null> {
  const text = String(constant.value);
  const fits = (number: string) => fitDecimal(number, constant.scale ?? 0, decimalTypeOf(type)!);
  if (constant.castTo !== undefined) {
    const cast = await castDecimal(connection, text, constant.castTo);
    return cast === null ? null : fits(cast);
  }
  return constant.is === "decimal" || constant.is === "whole" ? fits(text) : null;
}

/** Whether a constant can be converted. A date compared with a timestamp becomes a timestamp, so a timestamp is not a date. */
function isMoment(is: ValueClass | null, target: "date" | "timestamp"): boolean {
  return is === "text" || is === "date" || (is === "timestamp" && target === "timestamp");
}

async function castText(connection: Connection, text: string, type: string): Promise<string | null> {
  const [row] = await connection.rows<{ text: string | null }>(
    `SELECT CASE WHEN isfinite(v) THEN v::VARCHAR END AS text FROM (SELECT TRY_CAST(${quoteLiteral(text)} AS ${type}) AS v)`,
  );
  return row?.text ?? null;
}

export interface Constant {
  readonly is: ValueClass | null;
  readonly value: FilterValue | null;
  /** The number of digits after the point in the type of a decimal. */
  readonly scale?: number;
  /** The decimal type that the value is cast to. */
  readonly castTo?: string;
}

const CASTS: Readonly<Record<string, ValueClass>> = { DATE: "date", TIMESTAMP: "timestamp", BOOLEAN: "bool" };

export function constantOf(node: unknown): Constant | null {
  if (!isNode(node)) return null;
  if (node["class"] === "CONSTANT") {
    const { type, is_null, value } = node["value"] as { type: Node; is_null: boolean; value?: unknown };
    if (is_null) return { is: null, value: null };
    if (textOf(type["id"]) === "DECIMAL") {
      const { scale, text } = constantDecimal(type, value);
      // A null value would stand for NULL.
      return text === null ? null : { is: "decimal", value: text, scale };
    }
    const is = classOf(textOf(type["id"]));
    if (is === "whole") return wholeOf(value);
    return (is === "text" && typeof value === "string") || (is === "bool" && typeof value === "boolean")
      ? { is, value: value as FilterValue }
      : null;
  }
  if (node["class"] !== "CAST" || node["try_cast"] === true) return null;
  const inner = constantOf(node["child"]);
  const type = node["cast_type"] as Node;
  const decimal = formatDecimalType(type);
  if (decimal !== null) return castConstant(inner, decimal);
  const to = type["type_info"] === null ? CASTS[textOf(type["id"])] : undefined;
  if (inner?.is !== "text" || to === undefined) return null;
  if (to !== "bool") return { is: to, value: inner.value };
  if (inner.value !== "t" && inner.value !== "f") return null;
  return { is: to, value: inner.value === "t" };
}

/** Only numbers and texts: a cast of another constant is rare. */
function castConstant(inner: Constant | null, castTo: string): Constant | null {
  if (inner === null || inner.value === null || inner.castTo !== undefined) return null;
  if (inner.is !== "text" && inner.is !== "whole" && inner.is !== "decimal") return null;
  return { is: "decimal", value: inner.value, scale: decimalTypeOf(castTo)!.scale, castTo };
}

/** Converts an integer constant. */
function wholeOf(value: unknown): Constant | null {
  const number = wholeNumberOf(value);
  return number === null ? null : { is: "whole", value: number };
}
