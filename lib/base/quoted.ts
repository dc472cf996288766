/** A text between quotes, each quote in it doubled, as standard SQL writes names (`"`) and texts (`'`). */
export function quoted(text: string, quote: '"' | "'"): string {
  return `${quote}${text.replaceAll(quote, quote + quote)}${quote}`;
}
