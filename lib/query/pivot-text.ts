import { quoteIdentifier } from "../duckdb/mod.ts";
import { tokensOf, type Token } from "./tokens.ts";

/** A PIVOT whose values the data tell. */
interface PivotMark {
  /** Of the type that stands where its values would be listed. */
  readonly name: string;
  /** The subquery that gives the values: `ON column IN (SELECT …)`; null when the column itself gives them. */
  readonly subquery: { readonly sql: string; readonly start: number } | null;
}

/** SQL with the name of a type where a PIVOT lists no values. */
export interface MarkedSql {
  readonly sql: string;
  readonly marks: readonly PivotMark[];
  /** Where a place of `sql` is in the text it was made of; null for what was put into it. */
  readonly typedIndex: (index: number) => number | null;
}

/** What ends the columns after ON. */
const ENDS = new Set("USING GROUP ORDER LIMIT OFFSET UNION EXCEPT INTERSECT WHERE ;".split(" "));

/** What a subquery begins with. */
const SUBQUERY = /^(?:select|from|with|values|table|pivot(?:_wider)?)$/i;

/** How many PIVOTs, and columns after ON, may list no values; each costs a query, and time to look for. */
const MARKS_MAX = 100;

/**
 * Gives every `PIVOT … ON column` that lists no values, or has a subquery for them, the name of a type, so that DuckDB's
 * parser, which turns such a statement into several, finds one SELECT. DuckDB itself runs such a PIVOT by an enumeration
 * of the values, which it makes first. It only proposes: whether the result is SQL, and the name where values of a PIVOT
 * are, is for the parser.
 *
 * @param prefix what the names begin with. Default: something that the SQL does not have.
 * @returns null when there is no such PIVOT, or more than a hundred
 */
export function markPivots(sql: string, prefix: string = freePrefix(sql)): MarkedSql | null {
  const tokens = tokensOf(sql);
  const pivots = tokens.flatMap(({ text }, at) => (/^pivot(?:_wider)?$/i.test(text) ? [at] : []));
  if (pivots.length > MARKS_MAX) return null;
  const columns = pivots.flatMap((at) => columnsWithoutValues(tokens, at));
  if (columns.length > MARKS_MAX) return null;
  // The PIVOTs inside a subquery are marked when it is read by itself.
  const outer = columns.filter(
    (one) => !columns.some((other) => other.isSubquery && other !== one && isInside(one, other)),
  );
  if (outer.length === 0) return null;
  const marks: PivotMark[] = [];
  const edits: Edit[] = [];
  for (const [at, { start, end, isSubquery }] of outer.entries()) {
    const name = `${prefix}${at}`;
    const type = quoteIdentifier(name);
    const subquery = isSubquery ? { sql: sql.slice(start + 1, end - 1), start: start + 1 } : null;
    marks.push({ name, subquery });
    if (isSubquery) edits.push({ start, end, text: type });
    else edits.push({ start, end: start, text: "(" }, { start: end, end, text: `) IN ${type}` });
  }
  edits.sort((a, b) => a.start - b.start);
  return { sql: edited(sql, edits), marks, typedIndex: (index) => indexBefore(edits, index) };
}

/** A name that the SQL itself does not have. */
function freePrefix(sql: string): string {
  let prefix = "agnes pivot ";
  while (sql.includes(prefix)) prefix += "x ";
  return prefix;
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** A piece of text in place of another. */
interface Edit extends Span {
  readonly text: string;
}

function isInside(inner: Span, outer: Span): boolean {
  return inner.start >= outer.start && inner.end <= outer.end;
}

function edited(sql: string, edits: readonly Edit[]): string {
  let text = "";
  let from = 0;
  for (const edit of edits) {
    text += sql.slice(from, edit.start) + edit.text;
    from = edit.end;
  }
  return text + sql.slice(from);
}

function indexBefore(edits: readonly Edit[], index: number): number | null {
  let moved = 0;
  for (const { start, end, text } of edits) {
    if (index < start + moved) break;
    if (index < start + moved + text.length) return null;
    moved += text.length - (end - start);
  }
  return index - moved;
}

/** The columns of one PIVOT that list no values; of those with a subquery, the brackets around it. */
function columnsWithoutValues(
  tokens: readonly Token[],
  pivot: number,
): readonly (Span & { readonly isSubquery: boolean })[] {
  const { depth } = tokens[pivot]!;
  const columns: (Span & { readonly isSubquery: boolean })[] = [];
  let own: Token[] = [];
  let isAfterOn = false;
  const close = (): void => {
    const [first] = own;
    const end = own.at(-1)?.end ?? 0;
    const values = own.findIndex((token) => token.depth === depth && token.text.toUpperCase() === "IN");
    const [open, word] = own.slice(values + 1);
    if (first !== undefined && values === -1) columns.push({ start: first.start, end, isSubquery: false });
    else if (open?.text === "(" && SUBQUERY.test(word?.text ?? "")) {
      columns.push({ start: open.start, end, isSubquery: true });
    }
    own = [];
  };
  for (let at = pivot + 1; at < tokens.length; at++) {
    const token = tokens[at]!;
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
