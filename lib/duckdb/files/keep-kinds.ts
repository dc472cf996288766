import type { FileColumn } from "../../kit/mod.ts";
import { quoteLiteral } from "../sql.ts";
import { ISO_DATE, TIMESTAMP } from "./text-dates.ts";
import {
  FRACTION,
  groupingCheck,
  holdsDigits,
  holdsMagnitude,
  plainNumber,
  SCIENTIFIC,
  WHOLE,
  type NumberSeparators,
} from "./text-types.ts";

/** Whether the type of a column has a wider type of the same kind. */
export function canWiden({ type, format, isConfigured }: FileColumn): boolean {
  return isConfigured !== true && format === undefined && /^(BIGINT|DECIMAL\(.*\)|DATE)$/.test(type);
}

/** The SQL condition that a text is of the kind of a column that can be widened and fits some type of that kind. */
export function isOfKind({ type }: FileColumn, text: string, numbers: NumberSeparators): string {
  const like = (pattern: string, sql: string) => `regexp_full_match(${sql}, ${quoteLiteral(pattern)})`;
  if (type === "DATE") {
    return `(${like(`${ISO_DATE}|${TIMESTAMP}`, text)} AND ${text} >= '0001' AND TRY_CAST(${text} AS TIMESTAMP) IS NOT NULL)`;
  }
  const plain = plainNumber(text, numbers);
  const double = `TRY_CAST(${plain} AS DOUBLE)`;
  const grouping = groupingCheck(text, numbers);
  const holds = [
    like("-?[0-9]{1,12}[.][0-9]{1,6}", plain),
    `(${like(WHOLE, plain)} AND TRY_CAST(${plain} AS BIGINT) IS NOT NULL)`,
    `(${double} IS NOT NULL AND ${holdsMagnitude(plain, double)} AND ${holdsDigits(plain, double)})`,
  ].join(" OR ");
  const isNumber = `(${like(`${WHOLE}|${FRACTION}|${SCIENTIFIC}`, plain)} AND (${holds}))`;
  return grouping === null ? isNumber : `(${grouping} AND ${isNumber})`;
}

/** Whether a text that does not fit a column may fit a wider type of its kind; inspecting all texts decides. */
export function mayWiden(column: FileColumn, text: string, numbers: NumberSeparators): boolean {
  if (!canWiden(column)) return false;
  if (column.type === "DATE") return isLike(TIMESTAMP, text);
  const { decimalSeparator, thousandsSeparator } = numbers;
  const plain = (thousandsSeparator === "" ? text : text.replaceAll(thousandsSeparator, "")).replace(
    decimalSeparator,
    ".",
  );
  // A whole number beyond BIGINT makes its column text.
  return isLike(
    column.type === "BIGINT" ? `${FRACTION}|${SCIENTIFIC}` : `${WHOLE}|${FRACTION}|${SCIENTIFIC}`,
    plain,
  );
}

const isLike = (pattern: string, text: string): boolean => new RegExp(`^(?:${pattern})$`).test(text);
