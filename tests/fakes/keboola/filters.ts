import { parseTime } from "./dates.ts";
import { invalid } from "./errors.ts";
import { kindOf, type CellValue } from "./types.ts";

/** A condition on one column; several are joined by AND. */
export interface WhereFilter {
  readonly column: string;
  readonly operator?: string;
  readonly values: readonly string[];
  readonly dataType?: string;
  readonly type?: string;
}

/** What filters are checked against. */
export interface FilterContext {
  readonly columns: readonly string[];
  /** The native type of a column; undefined in a table of strings. */
  readonly typeOf: (column: string) => string | undefined;
  readonly backend: "snowflake" | "bigquery";
  readonly now: Date;
}

const ANY_BACKEND = ["eq", "ne"];
const SNOWFLAKE_ONLY = ["gt", "ge", "lt", "le"];
const NUMBERS = {
  snowflake: ["INTEGER", "DOUBLE"],
  bigquery: ["INTEGER", "DOUBLE", "BIGINT", "REAL", "DECIMAL"],
};
const KEYS = ["column", "operator", "values", "dataType", "type"];

/**
 * Returns a test of rows.
 * @throws ApiError 400 for a filter that the backend does not take
 */
export function compileFilters(
  filters: readonly WhereFilter[],
  context: FilterContext,
): (cell: (column: string) => CellValue) => boolean {
  const tests = filters.map((filter) => ({ column: filter.column, test: compile(filter, context) }));
  return (cell) => tests.every(({ column, test }) => test(cell(column)));
}

/** Checks the shape of `whereFilters`: real arrays, not the text of JSON. */
export function toFilters(value: unknown): readonly WhereFilter[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw invalid("whereFilters: This value should be of type array.");
  return value.map((one: unknown, at) => {
    if (typeof one !== "object" || one === null || Array.isArray(one))
      throw invalid(`whereFilters[${at}]: This value should be of type array.`);
    const unknown = Object.keys(one).find((key) => !KEYS.includes(key));
    if (unknown !== undefined) throw invalid(`whereFilters[${at}]: unknown key "${unknown}".`);
    const { column, values } = one as { column?: unknown; values?: unknown };
    if (typeof column !== "string")
      throw invalid(`whereFilters[${at}][column]: This value should not be blank.`);
    if (!Array.isArray(values) || values.length === 0)
      throw invalid(`whereFilters[${at}][values]: This value should be of type array and not empty.`);
    return { ...(one as WhereFilter), values: values.map(String) };
  });
}

function compile(filter: WhereFilter, context: FilterContext): (value: CellValue) => boolean {
  const { column, operator = "eq", values, dataType = "", type = "SCALAR" } = filter;
  if (!context.columns.includes(column)) throw invalid(`whereFilters: Column "${column}" does not exist.`);
  if (!ANY_BACKEND.includes(operator)) {
    if (!SNOWFLAKE_ONLY.includes(operator))
      throw invalid(`whereFilters: Operator "${operator}" does not exist.`);
    if (context.backend !== "snowflake")
      throw invalid(`whereFilters: Operator "${operator}" is supported on the Snowflake backend only.`);
    if (values.length > 1) throw invalid(`whereFilters: Operator "${operator}" takes one value.`);
  }
  if (dataType !== "" && !NUMBERS[context.backend].includes(dataType))
    throw invalid(`whereFilters: Data type "${dataType}" is not supported.`);
  if (type !== "SCALAR" && type !== "TIME_STRING")
    throw invalid(`whereFilters: Type "${type}" does not exist.`);
  if (type === "TIME_STRING" && dataType !== "")
    throw invalid("whereFilters: dataType must be empty when type is TIME_STRING.");
  const native = context.typeOf(column);
  const isNumber = dataType !== "" || (native !== undefined && kindOf(native) === "number");
  if (type === "TIME_STRING") {
    const read = (value: string) => parseTime(value, context.now)?.getTime() ?? null;
    if (values.some((value) => read(value) === null)) throw invalid("whereFilters: The value is not a time.");
    return compare(operator, values.map(read), (value) => (value === null ? null : read(value)));
  }
  if (isNumber)
    return compare(operator, values.map(toNumber), (value) => (value === null ? null : toNumber(value)));
  return compare(operator, values, (value) => value);
}

/** SQL's comparison: a null on either side never matches. */
function compare<T extends string | number>(
  operator: string,
  wanted: readonly (T | null)[],
  read: (value: CellValue) => T | null,
): (value: CellValue) => boolean {
  const known = wanted.filter((one) => one !== null);
  const [first] = known;
  return (value) => {
    const own = read(value);
    if (own === null) return false;
    if (operator === "eq") return known.includes(own);
    if (operator === "ne") return known.length === wanted.length && !known.includes(own);
    if (first === undefined) return false;
    const order = orderOf(own, first);
    if (operator === "gt") return order > 0;
    if (operator === "ge") return order >= 0;
    return operator === "lt" ? order < 0 : order <= 0;
  };
}

/** The backends compare text by code points, as the bytes of UTF-8 are; JavaScript compares units of UTF-16. */
function orderOf(own: string | number, other: string | number): number {
  if (typeof own === "string" && typeof other === "string")
    return Buffer.compare(Buffer.from(own), Buffer.from(other));
  return own === other ? 0 : own > other ? 1 : -1;
}

/** As `try_to_double`: a text that is no number is null. */
function toNumber(text: string): number | null {
  const number = text.trim() === "" ? Number.NaN : Number(text);
  return Number.isNaN(number) ? null : number;
}
