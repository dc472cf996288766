/** A place in SQL. */
export interface SqlPlace {
  /** The line number, from 1. */
  readonly line: number;
  /** The column in characters, from 1. */
  readonly column: number;
  /** The displayed text of the line, before and after the place. */
  readonly before: string;
  readonly after: string;
}

/** Formats the line of a place with a caret below it, as DuckDB does; empty if the place is unknown. */
export function placeText(place: SqlPlace | undefined): string {
  if (place === undefined) return "";
  const head = `LINE ${place.line}: ${place.before}`;
  const width = Array.from(head).reduce((sum, character) => sum + displayWidth(character), 0);
  return `\n\n${head}${place.after}\n${" ".repeat(width)}^`;
}

/** Returns the number of terminal columns of a character. */
export function displayWidth(character: string): 0 | 1 | 2 {
  if (/^[\p{M}\p{Cc}\p{Cf}]/u.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

const WIDE =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]/u;
