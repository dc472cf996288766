import type { SqlPlace } from "../base/mod.ts";

/** The number of characters of a line to include on either side of a place. */
const CONTEXT_LENGTH = 50;

/** Returns the line and column of an index into SQL, with the text around it. */
export function placeAt(sql: string, index: number): SqlPlace {
  const start = sql.lastIndexOf("\n", index - 1) + 1;
  const end = sql.indexOf("\n", index);
  const line = sql.slice(start, end === -1 ? undefined : end).replace(/\r$/, "");
  const before = Array.from(line.slice(0, index - start));
  const after = Array.from(line.slice(index - start));
  const left =
    before.length > CONTEXT_LENGTH ? `...${before.slice(-CONTEXT_LENGTH).join("")}` : before.join("");
  const right =
    after.length > CONTEXT_LENGTH ? `${after.slice(0, CONTEXT_LENGTH).join("")}...` : after.join("");
  return {
    line: sql.slice(0, start).split("\n").length,
    column: before.length + 1,
    before: plain(left),
    after: plain(right),
  };
}

/** Converts a position in characters to an index. DuckDB's parser counts characters, and an emoji is one character. */
export function indexOfCharacter(sql: string, characters: number): number {
  return Array.from(sql).slice(0, characters).join("").length;
}

/** Converts a position in UTF-8 bytes to an index. DuckDB's parse tree counts bytes. */
export function indexOfByte(sql: string, bytes: number): number {
  return new TextDecoder().decode(new TextEncoder().encode(sql).subarray(0, bytes)).length;
}

/**
 * Converts an index of the executed statement to an index of the SQL as entered. The executed statement is that SQL,
 * contains it, or has something inserted into it. Returns `null` if the place is not in the SQL as entered.
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
