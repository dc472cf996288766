/** Quotes text and doubles each quote in it, as standard SQL does for names (`"`) and strings (`'`). */
export function quoted(text: string, quote: '"' | "'"): string {
  return `${quote}${text.replaceAll(quote, quote + quote)}${quote}`;
}
