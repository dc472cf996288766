/** A token of SQL: a keyword, name, literal or operator. Comments and spaces are skipped. */
export interface Token {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** The number of open brackets around the token; a bracket is outside of itself. */
  readonly depth: number;
}

const TOKENS =
  /--[^\n\r]*|\/\*[\s\S]*?\*\/|\s+|[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$((?:[\p{L}_][\p{L}\p{N}_]*)?)\$[\s\S]*?\$\1\$|[\p{L}\p{N}_$]+|[\s\S]/gu;

/** Splits SQL into tokens, approximately like DuckDB's parser; results are verified by the parser. */
export function tokensOf(sql: string): readonly Token[] {
  const tokens: Token[] = [];
  let depth = 0;
  const pattern = new RegExp(TOKENS, "gu");
  for (let match = pattern.exec(sql); match !== null; match = pattern.exec(sql)) {
    const { 0: text, index } = match;
    if (text.startsWith("/*")) pattern.lastIndex = endOfComment(sql, index);
    if (/^(?:\s|--|\/\*)/.test(text)) continue;
    if (/^[)\]}]$/.test(text)) depth -= 1;
    tokens.push({ text, start: index, end: index + text.length, depth });
    if (/^[([{]$/.test(text)) depth += 1;
  }
  return tokens;
}

/** Returns the end of a comment, which may contain comments. */
function endOfComment(sql: string, start: number): number {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = start;
  let depth = 0;
  for (let mark = marks.exec(sql); mark !== null; mark = marks.exec(sql)) {
    depth += mark[0] === "/*" ? 1 : -1;
    if (depth === 0) return marks.lastIndex;
  }
  return sql.length;
}
