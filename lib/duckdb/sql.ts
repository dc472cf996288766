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

/** Returns the start of a statement for a message, on one line and without literals, which may contain secrets. */
export function excerpt(sql: string, maxLength = 80): string {
  const line = sql
    .replace(/'(?:[^']|'')*'?/g, "'…'")
    .replace(/\s+/g, " ")
    .trim();
  return line.length <= maxLength ? line : `${line.slice(0, maxLength)}…`;
}
