/** Quotes text and doubles each quote in it, as standard SQL does for names (`"`) and strings (`'`). */
export function quoted(text: string, quote: '"' | "'"): string {
  return `${quote}${text.replaceAll(quote, quote + quote)}${quote}`;
}

/** What needs no quotes in a shell; on Windows, paths contain backslashes. */
const SHELL_SAFE = process.platform === "win32" ? /^[\w.,:/@%+\\-]+$/ : /^[\w.,:/@%+-]+$/;

/** Quotes an argument of a command for a shell, if necessary. */
export function shellQuoted(text: string): string {
  return SHELL_SAFE.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
