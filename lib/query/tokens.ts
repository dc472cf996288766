/** A token of SQL: a keyword, name, literal or operator. Comments and spaces are skipped. */
export interface Token {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** The number of open brackets around the token; a bracket is outside of itself. */
  readonly depth: number;
}

const TOKENS =
  /--[^\n\r]*|\/\*[\s\S]*?\*\/|\s+|[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$([a-zA-Z_]*)\$[\s\S]*?\$\1\$|[\p{L}\p{N}_$]+|[\s\S]/gu;

/** Splits SQL into tokens, approximately like DuckDB's parser; results are verified by the parser. */
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
