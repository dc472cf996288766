import { quoteIdentifier, tokensOf, type Token } from "../duckdb/mod.ts";
import { edited, indexBefore, type Edit, type Span } from "./text-edits.ts";

/** A PIVOT whose values depend on the data. */
interface PivotMark {
  /** The name of the type that replaces the list of its values. */
  readonly name: string;
  /** The subquery of the values, `ON column IN (SELECT …)`; null if the values are those of the column itself. */
  readonly subquery: { readonly sql: string; readonly start: number } | null;
}

/** SQL with the name of a type in each PIVOT without listed values. */
export interface MarkedSql {
  readonly sql: string;
  readonly marks: readonly PivotMark[];
  /** Converts an index of `sql` to an index of the original SQL; null for inserted text. */
  readonly typedIndex: (index: number) => number | null;
}

/** Keywords that end the columns after ON. */
const ENDS = new Set("USING GROUP ORDER LIMIT OFFSET UNION EXCEPT INTERSECT WHERE ;".split(" "));

/** Keywords at the start of a subquery. */
const SUBQUERY = /^(?:select|from|with|values|table|pivot(?:_wider)?)$/i;

/** The maximum number of PIVOTs, and of columns after ON, without listed values; each costs a query. */
const MARKS_MAX = 100;

/**
 * Inserts the name of a type into every `PIVOT … ON column` without listed values or with a subquery for them, so that
 * DuckDB's parser, which would turn it into several statements, finds one SELECT. DuckDB itself runs such a PIVOT with
 * an enumeration of the values that it creates first. The result is a guess from tokens: the parser verifies that it is
 * SQL and that the name is at the place of values of a PIVOT.
 *
 * @param prefix the prefix of the names. Default: a text that the SQL does not contain.
 * @returns null if there is no such PIVOT, or more than a hundred
 */
export function markPivots(sql: string, prefix: string = freePrefix(sql)): MarkedSql | null {
  const tokens = tokensOf(sql);
  const pivots = tokens.flatMap(({ text }, at) => (/^pivot(?:_wider)?$/i.test(text) ? [at] : []));
  if (pivots.length > MARKS_MAX) return null;
  const columns = pivots.flatMap((at) => columnsWithoutValues(tokens, at));
  if (columns.length > MARKS_MAX) return null;
  // The PIVOTs of a subquery are marked when it is parsed separately.
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

/** Returns a prefix that the SQL does not contain. */
function freePrefix(sql: string): string {
  let prefix = "agnes pivot ";
  while (sql.includes(prefix)) prefix += "x ";
  return prefix;
}

function isInside(inner: Span, outer: Span): boolean {
  return inner.start >= outer.start && inner.end <= outer.end;
}

/** Returns the columns of one PIVOT without listed values; for columns with a subquery, the span of its brackets. */
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
    const [open, keyword] = own.slice(values + 1);
    if (first !== undefined && values === -1) columns.push({ start: first.start, end, isSubquery: false });
    else if (open?.text === "(" && SUBQUERY.test(keyword?.text ?? "")) {
      columns.push({ start: open.start, end, isSubquery: true });
    }
    own = [];
  };
  for (let at = pivot + 1; at < tokens.length; at++) {
    const token = tokens[at]!;
    const keyword = token.depth > depth ? "" : token.text.toUpperCase();
    const isEnd = token.depth < depth || ENDS.has(keyword);
    if (!isAfterOn) {
      if (token.depth < depth || keyword === ";") return [];
      isAfterOn = keyword === "ON";
    } else if (isEnd) {
      break;
    } else if (keyword === ",") {
      close();
    } else {
      own.push(token);
    }
  }
  close();
  return columns;
}
