import type { FileColumn } from "../../kit/mod.ts";
import { quoteIdentifier, quoteLiteral } from "../sql.ts";
import { castText, checkText, PLAIN_NUMBERS, tryCastText, type NumberSeparators } from "./text-types.ts";

/** A column whose values are texts in a relation, to be read as its type. */
export interface TextColumn {
  readonly column: FileColumn;
  /** The SQL of the text over the relation. */
  readonly text: string;
}

/** What the error says that a query throws at a value that does not fit. */
export const MISFIT = "agnes: a value does not fit its column";

const textName = (at: number) => quoteIdentifier(`agnes_text_${at}`);

/**
 * The SELECT that reads texts as their types and fails at the first value that would not read back as it is written.
 *
 * Values are cast below and compared above, so that nothing is cast twice, and one condition holds all comparisons: a
 * `CASE` for each column takes twice the time.
 */
export function checkedSelect(
  relation: string,
  columns: readonly TextColumn[],
  numbers: NumberSeparators = PLAIN_NUMBERS,
): string {
  const names = columns.map(({ column }) => quoteIdentifier(column.name));
  const checks = columns.flatMap(({ column }, at) => {
    const check = checkText(column, textName(at), names[at]!, numbers);
    return check === null ? [] : [{ at, check }];
  });
  const checked = new Set(checks.map(({ at }) => at));
  const inner = columns.flatMap(({ column, text }, at) => [
    ...(checked.has(at) ? [`${text} AS ${textName(at)}`] : []),
    `${castText(column, text, numbers)} AS ${names[at]}`,
  ]);
  const below = `SELECT ${inner.join(", ")} FROM ${relation}`;
  if (checks.length === 0) return below;
  const all = checks.map(({ check }) => `(${check})`).join(" AND ");
  return `SELECT ${names.join(", ")} FROM (${below}) WHERE CASE WHEN (${all}) IS NOT FALSE THEN true ELSE error(${quoteLiteral(MISFIT)}) END`;
}

/** The rows that hold a value which does not fit: their number from 1, the first such column, and all their texts. */
export function misfitsSelect(
  relation: string,
  columns: readonly TextColumn[],
  numbers: NumberSeparators = PLAIN_NUMBERS,
): string {
  const misfit = `CASE ${columns.map((_, at) => `WHEN agnes_bad_${at} THEN ${at}`).join(" ")} END`;
  const record = columns.map(({ column }, at) => `${quoteLiteral(column.name)}: ${textName(at)}`).join(", ");
  const value = `CASE agnes_column ${columns.map((_, at) => `WHEN ${at} THEN ${textName(at)}`).join(" ")} END`;
  return `SELECT agnes_row, agnes_column, ${value} AS agnes_value, to_json({${record}})::VARCHAR AS agnes_record
    FROM (SELECT *, ${misfit} AS agnes_column FROM (${triedSelect(relation, columns, numbers)}))
    WHERE agnes_column IS NOT NULL ORDER BY agnes_row`;
}

/** The rows whose values all fit. */
export function fittingSelect(
  relation: string,
  columns: readonly TextColumn[],
  numbers: NumberSeparators = PLAIN_NUMBERS,
): string {
  const bad = columns.map((_, at) => `agnes_bad_${at}`).join(" OR ");
  const values = columns.map(({ column }, at) => `agnes_value_${at} AS ${quoteIdentifier(column.name)}`);
  return `SELECT ${values.join(", ")} FROM (${triedSelect(relation, columns, numbers)}) WHERE NOT (${bad})`;
}

function triedSelect(relation: string, columns: readonly TextColumn[], numbers: NumberSeparators): string {
  const tried = columns.map(
    ({ column, text }, at) =>
      `${text} AS ${textName(at)}, ${tryCastText(column, text, numbers)} AS agnes_value_${at}`,
  );
  const bad = columns.map(({ column }, at) => {
    const check = checkText(column, textName(at), `agnes_value_${at}`, numbers) ?? "true";
    return `(${textName(at)} IS NOT NULL AND (agnes_value_${at} IS NULL OR (${check}) IS FALSE)) AS agnes_bad_${at}`;
  });
  return `SELECT *, ${bad.join(", ")} FROM (SELECT row_number() OVER () AS agnes_row, ${tried.join(", ")} FROM ${relation})`;
}
