import type { SqlPlace } from "../base/mod.ts";

/** How many characters of a line are shown on either side of the place. */
const SHOWN = 50;

/** Where an index into SQL is: its line and column, and what to show of the line. */
export function placeAt(sql: string, index: number): SqlPlace {
  const start = sql.lastIndexOf("\n", index - 1) + 1;
  const end = sql.indexOf("\n", index);
  const line = sql.slice(start, end === -1 ? undefined : end).replace(/\r$/, "");
  const before = Array.from(line.slice(0, index - start));
  const after = Array.from(line.slice(index - start));
  const left = before.length > SHOWN ? `...${before.slice(-SHOWN).join("")}` : before.join("");
  const right = after.length > SHOWN ? `${after.slice(0, SHOWN).join("")}...` : after.join("");
  return {
    line: sql.slice(0, start).split("\n").length,
    column: before.length + 1,
    before: plain(left),
    after: plain(right),
  };
}

/** The index of a character; DuckDB's parser counts characters, of which an emoji is one. */
export function indexOfCharacter(sql: string, characters: number): number {
  return Array.from(sql).slice(0, characters).join("").length;
}

/** The index of a byte of the text's UTF-8; DuckDB's parse tree counts bytes. */
export function indexOfByte(sql: string, bytes: number): number {
  return new TextDecoder().decode(new TextEncoder().encode(sql).subarray(0, bytes)).length;
}

/**
 * Where a place of a statement that ran is in the SQL that somebody typed: it ran as it is, within another statement, or
 * with something put into it; `null` when that place is in none of what was typed.
 */
export function typedIndex(typed: string, ran: string, index: number): number | null {
  const whole = ran.indexOf(typed);
  if (whole !== -1) return index >= whole && index - whole <= typed.length ? index - whole : null;
  let same = 0;
  while (same < typed.length && typed[same] === ran[same]) same += 1;
  if (index < same) return index;
  let tail = 0;
  while (tail < typed.length - same && typed.at(-1 - tail) === ran.at(-1 - tail)) tail += 1;
  return index >= ran.length - tail ? index - ran.length + typed.length : null;
}

function plain(text: string): string {
  return text.replace(/\p{Cc}/gu, " ");
}
