/** A word, sign or literal of SQL; comments and spaces are none. */
interface Token {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** How many brackets are open around it; those themselves count as outside. */
  readonly depth: number;
}

/** SQL with a list of values for every PIVOT that lists none. */
export interface MarkedSql {
  readonly sql: string;
  /** Each stands where a list of values is to be. */
  readonly markers: readonly string[];
}

const TOKENS =
  /--[^\n]*|\/\*[\s\S]*?\*\/|\s+|[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$([a-zA-Z_]*)\$[\s\S]*?\$\1\$|[\p{L}\p{N}_$]+|[\s\S]/gu;

/** What ends the columns after ON. */
const ENDS = new Set("USING GROUP ORDER LIMIT OFFSET UNION EXCEPT INTERSECT WHERE ;".split(" "));

/**
 * Gives every `PIVOT … ON column` that lists no values a list with one marker, so that DuckDB's parser, which turns
 * such a statement into several, finds one SELECT. It only proposes: whether the result is SQL, and the marker where
 * it should be, is for the parser.
 *
 * @returns null when there is no such PIVOT
 */
export function markPivots(sql: string): MarkedSql | null {
  const tokens = tokensOf(sql);
  const columns = tokens.flatMap((token, at) =>
    /^pivot(?:_wider)?$/i.test(token.text) ? columnsWithoutValues(tokens, at) : [],
  );
  if (columns.length === 0) return null;
  const prefix = markerPrefix(sql);
  const markers = columns.map((_, at) => `${prefix}${at}`);
  let marked = "";
  let from = 0;
  for (const [at, { start, end }] of columns.entries()) {
    marked += `${sql.slice(from, start)}(${sql.slice(start, end)}) IN ('${markers[at]!}')`;
    from = end;
  }
  return { sql: marked + sql.slice(from), markers };
}

/** The SQL with the values, where the markers stand. One pass: a value may hold the text of a marker. */
export function fillPivots({ sql, markers }: MarkedSql, values: readonly (readonly string[])[]): string {
  const literal = (value: string): string => `'${value.replaceAll("'", "''")}'`;
  const lists = new Map(markers.map((marker, at) => [marker, values[at]!.map(literal).join(", ")]));
  return sql.replace(new RegExp(`'(${markers.join("|")})'`, "g"), (_text, marker: string) =>
    lists.get(marker)!,
  );
}

/** Nothing that the SQL itself has. */
function markerPrefix(sql: string): string {
  let prefix = "agnes pivot ";
  while (sql.includes(prefix)) prefix += "x ";
  return prefix;
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** Where the columns of one PIVOT are that list no values. */
function columnsWithoutValues(tokens: readonly Token[], pivot: number): readonly Span[] {
  const { depth } = tokens[pivot]!;
  const columns: Span[] = [];
  let own: Token[] = [];
  let isAfterOn = false;
  const close = (): void => {
    const [first] = own;
    const hasValues = own.some((token) => token.depth === depth && token.text.toUpperCase() === "IN");
    if (first !== undefined && !hasValues) columns.push({ start: first.start, end: own.at(-1)!.end });
    own = [];
  };
  for (const token of tokens.slice(pivot + 1)) {
    const word = token.depth > depth ? "" : token.text.toUpperCase();
    const isEnd = token.depth < depth || ENDS.has(word);
    if (!isAfterOn) {
      if (token.depth < depth || word === ";") return [];
      isAfterOn = word === "ON";
    } else if (isEnd) {
      break;
    } else if (word === ",") {
      close();
    } else {
      own.push(token);
    }
  }
  close();
  return columns;
}

function tokensOf(sql: string): readonly Token[] {
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
