import { tokensOf } from "./tokens.ts";

/** The spaces of Unicode that DuckDB's parser replaces by a plain one. */
const SPACE = /[\u00a0\u2000-\u200b\u202f\u205f\u2060\u3000\ufeff]/;
/** The start of a tag. For DuckDB, any character beyond ASCII can be in it, also a space. */
const TAG = /\$(?:[A-Za-z_\u0080-\uffff][A-Za-z_0-9\u0080-\uffff]*)?/y;
const TEXT = /^(?:[eE]?'|"|\$)/;

/** A character in a text or a quoted name that DuckDB would replace by a plain space. */
interface ChangedSpace {
  readonly index: number;
  /** Contains the character, such as `U+00A0`. */
  readonly reason: string;
  readonly advice: string;
}

/**
 * Returns the first space of Unicode that DuckDB changes in a text or a quoted name; null if it changes none. DuckDB replaces
 * such spaces before it parses SQL, outside of quotes only, but it does not know comments in slashes and escapes by a
 * backslash: a quote in them inverts what it takes for quoted.
 */
export function changedSpace(sql: string): ChangedSpace | null {
  if (!SPACE.test(sql)) return null;
  const replaced = replacedSpaces(sql);
  if (replaced.length === 0) return null;
  const texts = tokensOf(sql).filter(({ text }) => text.length > 1 && TEXT.test(text));
  const index = replaced.find((at) => texts.some(({ start, end }) => start <= at && at < end));
  if (index === undefined) return null;
  const code = sql.codePointAt(index)!.toString(16).toUpperCase().padStart(4, "0");
  return {
    index,
    reason: `DuckDB would replace the character U+${code} in a text or name by a plain space, because of a quote in a comment or in an E-string before it`,
    advice: "Remove the quote from the comment or E-string, or pass the text as a parameter.",
  };
}

/** The places of the spaces that DuckDB takes for unquoted. */
function replacedSpaces(sql: string): readonly number[] {
  const found: number[] = [];
  for (let at = 0; at < sql.length; at += 1) {
    const character = sql[at]!;
    if (SPACE.test(character)) found.push(at);
    else if (character === "'" || character === '"') at = endOfQuoted(sql, at);
    else if (character === "$") at = endOfTagged(sql, at);
    else if (sql.startsWith("--", at)) at = endOfLine(sql, at);
  }
  return found;
}

function endOfQuoted(sql: string, start: number): number {
  const quote = sql[start]!;
  let end = sql.indexOf(quote, start + 1);
  while (end >= 0 && sql[end + 1] === quote) end = sql.indexOf(quote, end + 2);
  return end < 0 ? sql.length : end;
}

/** A `$` can end one tag and begin the next, as in DuckDB. */
function endOfTagged(sql: string, start: number): number {
  TAG.lastIndex = start;
  const { length } = TAG.exec(sql)![0];
  if (sql[start + length] !== "$") return start + length - 1;
  const tag = sql.slice(start, start + length + 1);
  const end = sql.indexOf(tag, start + length);
  return end < 0 ? sql.length : end + length - 1;
}

function endOfLine(sql: string, start: number): number {
  const length = sql.slice(start).search(/[\r\n]/);
  return length < 0 ? sql.length : start + length;
}
