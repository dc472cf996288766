import { displayWidth } from "../base/mod.ts";

/**
 * Where in a statement DuckDB's `LINE 2: … ^` points, as an index into the statement; `null` when it points nowhere, or
 * into another text, such as that of a view.
 */
export function errorPosition(text: string, sql: string): number | null {
  const found = /\nLINE (\d+): ([^\n]*)\n( *)\^/.exec(text);
  if (found === null) return null;
  const [, number, shown, spaces] = found as unknown as readonly [string, string, string, string];
  const lines = sql.split("\n");
  const line = lines[Number(number) - 1];
  if (line === undefined) return null;
  const before = lines.slice(0, Number(number) - 1).reduce((sum, { length }) => sum + length + 1, 0);
  const caret = spaces.length - `LINE ${number}: `.length;
  if (line.replace(/\r$/, "") === shown.replace(/\r$/, "")) return before + indexAt(shown, caret);
  // Of a long line, DuckDB shows a part.
  const start = shown.startsWith("...") && !line.startsWith("...") ? 3 : 0;
  const part = shown.slice(start).replace(/\.\.\.$/, "");
  const at = line.indexOf(part);
  return at === -1 || line.indexOf(part, at + 1) !== -1 ? null : before + at + indexAt(part, caret - start);
}

/** The index of the character that is shown at a column; DuckDB counts as wide as a terminal shows. */
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
