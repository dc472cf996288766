/** Quotes text and doubles each quote in it, as standard SQL does for names (`"`) and strings (`'`). */
export function quoted(text: string, quote: '"' | "'"): string {
  return `${quote}${text.replaceAll(quote, quote + quote)}${quote}`;
}

/** Returns a text as an SQL string: `it's` returns `'it''s'`. DuckDB ends a statement at a NUL, so a text with one is concatenated. */
export function quotedText(text: string): string {
  const pieces = text.split("\0").map((piece) => quoted(piece, "'"));
  return pieces.length === 1 ? pieces[0]! : `(${pieces.join(" || chr(0) || ")})`;
}

/** What needs no quotes in a shell; on Windows, paths contain backslashes. */
const SHELL_SAFE = process.platform === "win32" ? /^[\w.,:/@%+\\-]+$/ : /^[\w.,:/@%+-]+$/;

/** Quotes an argument of a command for a shell, if necessary. */
export function shellQuoted(text: string): string {
  return SHELL_SAFE.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
