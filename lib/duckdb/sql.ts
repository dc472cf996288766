import { quoted, quotedText } from "../base/mod.ts";

/** Returns a name as a quoted SQL identifier, safe for any name: `a "b"` returns `"a ""b"""`. */
export function quoteIdentifier(name: string): string {
  return quoted(name, '"');
}

/** Returns a text as an SQL literal: `it's` returns `'it''s'`. */
export function quoteLiteral(text: string): string {
  return quotedText(text);
}

/** Escapes the characters of a path that DuckDB treats as a glob pattern. */
export function escapeGlob(path: string): string {
  return path.replace(/[*?[]/g, (character) => `[${character}]`);
}

/** The last excerpt: each step of a statement needs it. */
let last = { sql: "", maxLength: 0, text: "" };

/** Returns the start of a statement for a message, on one line and without literals, which may contain secrets. */
export function excerpt(sql: string, maxLength = 80): string {
  if (last.sql !== sql || last.maxLength !== maxLength)
    last = { sql, maxLength, text: shortened(sql, maxLength) };
  return last.text;
}

function shortened(sql: string, maxLength: number): string {
  const line = sql
    .replace(/'(?:[^']|'')*'?/g, "'…'")
    .replace(/\s+/g, " ")
    .trim();
  return line.length <= maxLength ? line : `${line.slice(0, maxLength)}…`;
}
