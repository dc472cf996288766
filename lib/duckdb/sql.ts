import { quoted } from "../base/mod.ts";

/** A name as SQL: always quoted, so any name is safe. `say "hi"` gives `"say ""hi"""`. */
export function quoteIdentifier(name: string): string {
  return quoted(name, '"');
}

/** A text as an SQL literal. `it's` gives `'it''s'`. */
export function quoteLiteral(text: string): string {
  return quoted(text, "'");
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
