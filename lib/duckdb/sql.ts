import { quoted } from "../base/mod.ts";

/** A name as SQL: always quoted, so any name is safe. `say "hi"` gives `"say ""hi"""`. */
export function quoteIdentifier(name: string): string {
  return quoted(name, '"');
}

/** A text as SQL. `it's` gives `'it''s'`; a statement ends at a NUL, so a text with one is put together. */
export function quoteLiteral(text: string): string {
  if (!text.includes("\0")) return quoted(text, "'");
  return `(${text
    .split("\0")
    .map((piece) => quoted(piece, "'"))
    .join(" || chr(0) || ")})`;
}

/** DuckDB takes some characters of a path for a pattern; in brackets they are themselves. */
export function escapeGlob(path: string): string {
  return path.replace(/[*?[]/g, (character) => `[${character}]`);
}

/** The start of a statement for a message: one line, and literals left out since they may hold secrets. */
export function excerpt(sql: string, maxLength = 80): string {
  const line = sql
    .replace(/'(?:[^']|'')*'?/g, "'…'")
    .replace(/\s+/g, " ")
    .trim();
  return line.length <= maxLength ? line : `${line.slice(0, maxLength)}…`;
}
