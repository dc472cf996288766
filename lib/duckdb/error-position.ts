import { displayWidth } from "../base/mod.ts";

/**
 * Returns the index in a statement that DuckDB's `LINE 2: … ^` marks; `null` if there is none or it is in another text,
 * such as that of a view.
 */
export function errorPosition(text: string, sql: string): number | null {
  const found = /\nLINE (\d+): ([^\n]*)\n( *)\^/.exec(text);
  if (found === null) return null;
  const [, number, excerpt, spaces] = found as unknown as readonly [string, string, string, string];
  const lines = sql.split("\n");
  const line = lines[Number(number) - 1];
  if (line === undefined) return null;
  const before = lines.slice(0, Number(number) - 1).reduce((sum, { length }) => sum + length + 1, 0);
  const caret = spaces.length - `LINE ${number}: `.length;
  if (line.replace(/\r$/, "") === excerpt.replace(/\r$/, "")) return before + indexAt(excerpt, caret);
  // DuckDB prints only a part of a long line.
  const start = excerpt.startsWith("...") && !line.startsWith("...") ? 3 : 0;
  const part = excerpt.slice(start).replace(/\.\.\.$/, "");
  const at = line.indexOf(part);
  return at === -1 || line.indexOf(part, at + 1) !== -1 ? null : before + at + indexAt(part, caret - start);
}

/** Returns the index of the character at a display column; DuckDB counts terminal columns. */
function indexAt(text: string, column: number): number {
  let width = 0;
  let index = 0;
  for (const character of text) {
    const own = displayWidth(character);
    if (width >= column && own > 0) break;
    width += own;
    index += character.length;
  }
  return index;
}
