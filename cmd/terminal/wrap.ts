/** The words of a text, each with the spaces after it. */
export function wordsOf(text: string): readonly string[] {
  return text.split(/(?<= )/);
}

/** The lines of a text, which is broken between words. A longer word is on a line of its own. */
export function wrap(text: string, width: number): readonly string[] {
  return Bun.stringWidth(text) <= width ? [text] : wrapWords(wordsOf(text), width);
}

/** The lines of words, which have the spaces after them. */
export function wrapWords(words: readonly string[], width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of words) {
    if (line !== "" && Bun.stringWidth((line + word).trimEnd()) > width) {
      lines.push(line.trimEnd());
      line = "";
    }
    line += word;
  }
  return [...lines, line.trimEnd()];
}
