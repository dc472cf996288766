import type { FileColumn } from "../../kit/mod.ts";
import type { Connection } from "../connection.ts";
import { quoteIdentifier, quoteLiteral } from "../sql.ts";
import { canWiden, isOfKind } from "./keep-kinds.ts";
import type { ColumnMisfits } from "./opened-file.ts";
import {
  both,
  castText,
  checkStored,
  checkText,
  MISFIT,
  PLAIN_NUMBERS,
  tryCastText,
  type NumberSeparators,
} from "./text-types.ts";

/** A column whose values are texts in a relation and are converted to its type. */
export interface TextColumn {
  readonly column: FileColumn;
  /** The SQL of the text over the relation. */
  readonly text: string;
  /** Whether the relation already has the converted value, which is known to be exact. */
  readonly isValue?: boolean;
  /** The type of the list or struct of texts that the relation has instead of a text. */
  readonly nested?: string;
}

/** The SQL condition that a conversion loses nothing of its text; `null` if there is nothing to check. */
function checkOf(
  { column, isValue, nested }: TextColumn,
  text: string,
  value: string,
  numbers: NumberSeparators,
): string | null {
  if (isValue === true) return null;
  if (nested === undefined) return checkText(column, text, value, numbers);
  return both(`CAST(${value} AS ${nested}) IS NOT DISTINCT FROM ${text}`, checkStored(column.type, value));
}

/** Returns names for helper columns that no column of the file has, by place. */
export function helperNames(columns: readonly Pick<TextColumn, "column">[]): {
  readonly text: (at: number) => string;
  readonly value: (at: number) => string;
  readonly bad: (at: number) => string;
} {
  let prefix = "agnes_";
  while (columns.some(({ column }) => column.name.toLowerCase().startsWith(prefix))) prefix += "_";
  const named = (what: string) => (at: number) => quoteIdentifier(`${prefix}${what}_${at}`);
  return { text: named("text"), value: named("value"), bad: named("bad") };
}

/**
 * The SELECT that converts texts to their types and fails at the first value that loses part of its text.
 *
 * The inner query casts and the outer query compares, so that nothing is cast twice. One condition holds all comparisons,
 * because a `CASE` per column takes twice the time.
 */
export function checkedSelect(
  relation: string,
  columns: readonly TextColumn[],
  numbers: NumberSeparators = PLAIN_NUMBERS,
): string {
  const { text: textName } = helperNames(columns);
  const names = columns.map(({ column }) => quoteIdentifier(column.name));
  const checks = columns.flatMap((column, at) => {
    const check = checkOf(column, textName(at), names[at]!, numbers);
    return check === null ? [] : [{ at, check }];
  });
  const checked = new Set(checks.map(({ at }) => at));
  const inner = columns.flatMap(({ column, text, isValue }, at) => [
    ...(checked.has(at) ? [`${text} AS ${textName(at)}`] : []),
    `${isValue === true ? text : castText(column, text, numbers)} AS ${names[at]}`,
  ]);
  const below = `SELECT ${inner.join(", ")} FROM ${relation}`;
  if (checks.length === 0) return below;
  const all = checks.map(({ check }) => `(${check})`).join(" AND ");
  return `SELECT ${names.join(", ")} FROM (${below}) WHERE CASE WHEN (${all}) IS NOT FALSE THEN true ELSE error(${quoteLiteral(MISFIT)}) END`;
}

/** The SELECT of rows with a value that does not fit: the row number from 1, the first such column and all texts. */
export function misfitsSelect(
  relation: string,
  columns: readonly TextColumn[],
  numbers: NumberSeparators = PLAIN_NUMBERS,
): string {
  const { text, bad } = helperNames(columns);
  const misfit = `CASE ${columns.map((_, at) => `WHEN ${bad(at)} THEN ${at}`).join(" ")} END`;
  const record = columns.map(({ column }, at) => `${quoteLiteral(column.name)}: ${text(at)}`).join(", ");
  const values = columns.flatMap(({ isValue }, at) =>
    isValue === true ? [] : [`WHEN ${at} THEN CAST(${text(at)} AS VARCHAR)`],
  );
  const value = `CASE agnes_column ${values.join(" ")} END`;
  return `SELECT agnes_row, agnes_column, ${value} AS agnes_value, to_json({${record}})::VARCHAR AS agnes_record
    FROM (SELECT *, ${misfit} AS agnes_column FROM (${triedSelect(relation, columns, numbers)}))
    WHERE agnes_column IS NOT NULL ORDER BY agnes_row`;
}

/** The SELECT of rows whose values all fit. */
export function fittingSelect(
  relation: string,
  columns: readonly TextColumn[],
  numbers: NumberSeparators = PLAIN_NUMBERS,
): string {
  const { value, bad } = helperNames(columns);
  const values = columns.map(({ column }, at) => `${value(at)} AS ${quoteIdentifier(column.name)}`);
  const isBad = columns.map((_, at) => bad(at)).join(" OR ");
  return `SELECT ${values.join(", ")} FROM (${triedSelect(relation, columns, numbers)}) WHERE NOT (${isBad})`;
}

/** The SELECT of all rows, in which values that do not fit are null. */
export function nulledSelect(
  relation: string,
  columns: readonly TextColumn[],
  numbers: NumberSeparators = PLAIN_NUMBERS,
): string {
  const { value, bad } = helperNames(columns);
  const values = columns.map(
    ({ column }, at) => `CASE WHEN NOT ${bad(at)} THEN ${value(at)} END AS ${quoteIdentifier(column.name)}`,
  );
  return `SELECT ${values.join(", ")} FROM (${triedSelect(relation, columns, numbers)})`;
}

/** Finds the columns with values that do not fit. */
export async function misfitsByColumn(
  connection: Connection,
  relation: string,
  columns: readonly TextColumn[],
  options: { readonly numbers?: NumberSeparators; readonly signal?: AbortSignal | undefined } = {},
): Promise<readonly ColumnMisfits[]> {
  const { numbers = PLAIN_NUMBERS, signal } = options;
  const { text, bad } = helperNames(columns);
  const facts = columns.flatMap(({ column, isValue }, at): readonly string[] => {
    if (isValue === true) return [];
    const first = (condition: string) => `first(CAST(${text(at)} AS VARCHAR)) FILTER (WHERE ${condition})`;
    const wider = canWiden(column) ? first(`${bad(at)} AND ${isOfKind(column, text(at), numbers)}`) : "NULL";
    const count = `count(*) FILTER (WHERE ${bad(at)})`;
    return [`{place: ${at}, number: ${count}, example: ${first(bad(at))}, widens: ${wider}::VARCHAR}`];
  });
  if (facts.length === 0) return [];
  const found = await connection.rows<{
    place: number;
    number: bigint;
    example: string;
    widens: string | null;
  }>(
    `SELECT unnest(fact) FROM (SELECT unnest([${facts.join(", ")}]) AS fact FROM (${triedSelect(relation, columns, numbers)}))
     WHERE fact.number > 0`,
    signal === undefined ? {} : { signal },
  );
  return found.map(({ place, number, example, widens }) => {
    const { name, type, format } = columns[place]!.column;
    return {
      column: name,
      type: format === undefined ? type : `${type} (${format})`,
      values: Number(number),
      example,
      ...(widens === null ? {} : { widens }),
    };
  });
}

/** The SELECT of texts, values and whether they fit, all under helper names. */
function triedSelect(relation: string, columns: readonly TextColumn[], numbers: NumberSeparators): string {
  const own = helperNames(columns);
  const tried = columns.map(({ column, text, isValue }, at) => {
    const value = isValue === true ? text : tryCastText(column, text, numbers);
    return `${text} AS ${own.text(at)}, ${value} AS ${own.value(at)}`;
  });
  const bad = columns.map((column, at) => {
    if (column.isValue === true) return `false AS ${own.bad(at)}`;
    const check = checkOf(column, own.text(at), own.value(at), numbers) ?? "true";
    return `(${own.text(at)} IS NOT NULL AND (${own.value(at)} IS NULL OR (${check}) IS FALSE)) AS ${own.bad(at)}`;
  });
  return `SELECT *, ${bad.join(", ")} FROM (SELECT row_number() OVER () AS agnes_row, ${tried.join(", ")} FROM ${relation})`;
}
