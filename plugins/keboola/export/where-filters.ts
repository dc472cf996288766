import type { Filter, FilterValue } from "agnes/kit";

import type { Backend, ColumnType } from "../tables/types.ts";

/** A condition of an export. */
export interface WhereFilter {
  readonly column: string;
  readonly operator: "eq" | "ne" | "gt" | "ge" | "lt" | "le";
  readonly values: readonly string[];
  readonly dataType?: "DOUBLE";
  readonly type?: "TIME_STRING";
}

/** What is known of the columns that conditions compare. */
export interface FilterColumns {
  readonly types: ReadonlyMap<string, ColumnType>;
  /** Columns that the backend cannot compare. */
  readonly unfilterable: ReadonlySet<string>;
  readonly isTyped: boolean;
  readonly backend: Backend;
}

/** More values make a request that a stack may reject. */
const VALUES_MAX = 1000;
/** Times are compared with the zone and the form that the stack assumes; two days are more than any of them differs. */
const TIME_MARGIN_MS = 2 * 24 * 60 * 60_000;

/**
 * Returns the conditions that Keboola applies. It may return rows that the conditions exclude, because the runtime filters
 * again, but it must return all others; a condition is left out where that is not certain.
 */
export function whereFilters(
  filter: readonly Filter[] | undefined,
  columns: FilterColumns,
): readonly WhereFilter[] {
  return (filter ?? []).flatMap((one) => whereFilter(one, columns));
}

/** Whether Keboola applies all conditions exactly, so that it can also apply a limit: those on text. */
export function appliesExactly(filter: readonly Filter[] | undefined, columns: FilterColumns): boolean {
  return (filter ?? []).every(
    (one) => columns.types.get(one.column) === "VARCHAR" && whereFilter(one, columns).length > 0,
  );
}

function whereFilter({ column, operator, values }: Filter, columns: FilterColumns): readonly WhereFilter[] {
  if (operator === "is_null" || operator === "is_not_null") return [];
  const isRange = operator !== "eq" && operator !== "ne";
  if (values.length === 0 || values.length > VALUES_MAX || columns.unfilterable.has(column)) return [];
  // The other backends know only eq and ne.
  if (isRange && columns.backend !== "snowflake") return [];
  const type = columns.types.get(column);
  if (type === "VARCHAR") return textFilter(column, operator, values);
  // Text is compared as text unless the stack is told otherwise; native values as their type would be, if it were certain.
  if (type === undefined || columns.isTyped) return [];
  if (type === "BIGINT" || type === "DOUBLE" || type.startsWith("DECIMAL"))
    return numberFilter(column, operator, values);
  return type === "DATE" || type.startsWith("TIMESTAMP") ? timeFilter(column, operator, values) : [];
}

type Comparison = WhereFilter["operator"];

/** Both sides compare text byte by byte. */
function textFilter(
  column: string,
  operator: Comparison,
  values: readonly FilterValue[],
): readonly WhereFilter[] {
  const texts = values.filter((value) => typeof value === "string");
  if (texts.length < values.length || texts.some((text) => text.includes("\0"))) return [];
  return split({ column, operator, values: texts });
}

/**
 * As doubles: equal numbers are equal doubles, and greater ones never smaller doubles, so that `gt` becomes `ge`. Numbers
 * that differ may be equal doubles, so `ne` is left out.
 */
function numberFilter(
  column: string,
  operator: Comparison,
  values: readonly FilterValue[],
): readonly WhereFilter[] {
  const numbers = values.map(numeral);
  const known = numbers.filter((number) => number !== null);
  if (operator === "ne" || known.length < numbers.length) return [];
  return split({ column, operator: inclusive(operator), values: known, dataType: "DOUBLE" });
}

function numeral(value: FilterValue): string | null {
  const text = typeof value === "number" || typeof value === "bigint" ? String(value) : value;
  return typeof text === "string" && /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? text : null;
}

/** Only a range, moved outwards. */
function timeFilter(
  column: string,
  operator: Comparison,
  values: readonly FilterValue[],
): readonly WhereFilter[] {
  const [value, ...others] = values;
  if (operator === "eq" || operator === "ne" || others.length > 0) return [];
  const date = value instanceof Date ? value : typeof value === "string" ? dateOfText(value) : null;
  if (date === null || Number.isNaN(date.getTime())) return [];
  const wider = inclusive(operator);
  const moved = new Date(date.getTime() + (wider === "ge" ? -TIME_MARGIN_MS : TIME_MARGIN_MS));
  const [text] = moved.toISOString().split(".");
  if (!/^\d{4}-/.test(text!)) return [];
  return [{ column, operator: wider, values: [text!.replace("T", " ")], type: "TIME_STRING" }];
}

function dateOfText(text: string): Date | null {
  if (!/^\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?)?$/.test(text)) return null;
  const [day, time = "00:00"] = text.split(/[ T]/);
  return new Date(`${day}T${time.split(".")[0]!}Z`);
}

function inclusive(operator: Comparison): "eq" | "ne" | "ge" | "le" {
  if (operator === "gt") return "ge";
  return operator === "lt" ? "le" : operator;
}

/** A range takes one value; several are ANDed. */
function split(filter: WhereFilter): readonly WhereFilter[] {
  if (filter.operator === "eq" || filter.operator === "ne") return [filter];
  return filter.values.map((value) => ({ ...filter, values: [value] }));
}
