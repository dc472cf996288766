/** A word, sign or literal of SQL; comments and spaces are none. */
export interface Token {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** How many brackets are open around it; those themselves count as outside. */
  readonly depth: number;
}

const TOKENS =
  /--[^\n\r]*|\/\*[\s\S]*?\*\/|\s+|[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$([a-zA-Z_]*)\$[\s\S]*?\$\1\$|[\p{L}\p{N}_$]+|[\s\S]/gu;

/** The tokens of a text, nearly as DuckDB's parser takes them: what they are used for, the parser checks. */
export function tokensOf(sql: string): readonly Token[] {
  const tokens: Token[] = [];
  let depth = 0;
  for (const { 0: text, index } of sql.matchAll(TOKENS)) {
    if (/^(?:\s|--|\/\*)/.test(text)) continue;
    if (/^[)\]}]$/.test(text)) depth -= 1;
    tokens.push({ text, start: index, end: index + text.length, depth });
    if (/^[([{]$/.test(text)) depth += 1;
  }
  return tokens;
}
