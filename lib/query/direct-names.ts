import type { SqlPlace } from "../base/mod.ts";
import { quoteIdentifier, tokensOf, type Token } from "../duckdb/mod.ts";
import { tableId, type AnalyticsTable } from "../analytics/mod.ts";
import { sourceNameOf, type SourceTable } from "./hybrid/mod.ts";
import { placeAt } from "./place.ts";
import type { TableNames } from "./tables.ts";

const NAME = '(?:`[^`]*`|"(?:[^"]|"")*"|[\\p{L}_][\\p{L}\\p{N}_$]*)';
/** Names with dots between them, from a position on. */
const PATH = new RegExp(`${NAME}(?:\\s*\\.\\s*${NAME})*`, "uy");
const PARTS = new RegExp(NAME, "gu");
/** The keywords before a table. */
const BEFORE = /^(?:FROM|JOIN|DESCRIBE|DESC|SUMMARIZE)$/i;
/** The keywords that can follow a table. Another word is its alias. */
const AFTER =
  /^(?:WHERE|GROUP|ORDER|LIMIT|OFFSET|HAVING|QUALIFY|WINDOW|JOIN|INNER|LEFT|RIGHT|FULL|CROSS|NATURAL|SEMI|ANTI|ASOF|POSITIONAL|ON|USING|UNION|EXCEPT|INTERSECT|TABLESAMPLE|SELECT|PIVOT|UNPIVOT|AT)$/i;
const WORD = /^(?:"|[\p{L}_])/u;

/** A path after FROM or JOIN, such as `bq.sales.orders`. */
interface Path {
  readonly start: number;
  readonly end: number;
  /** The parts without quotes. Inside backticks, dots separate parts. */
  readonly parts: readonly string[];
  /** All parts with dots between them. */
  readonly whole: string;
  readonly hasBackticks: boolean;
  readonly hasAlias: boolean;
}

/** Whether SQL may refer to tables by their names in a source: with two dots or backticks after FROM or JOIN. */
export function mayNameDirectly(sql: string): boolean {
  return pathsIn(sql).some(isDirect);
}

/** SQL with the names of tables in the catalog. */
export interface Renamed {
  readonly sql: string;
  /** The first path in a known source that names no accessible table, for an error; null if there is none. */
  readonly unknown: { readonly name: string; readonly place: SqlPlace } | null;
}

/**
 * Replaces names of tables in their sources by the names of the registered remote tables, if these are accessible:
 * `source.dataset.table`, or the whole name of a table, such as `project.dataset.table`: the namespace of its source with the
 * name under which it is registered, or that name itself if it is in another project. Parts and whole names can be in backticks or double quotes.
 *
 * @throws `table_unknown` for a name of three parts in backticks that is not one of an accessible table
 */
export function withoutDirectNames(sql: string, names: TableNames, records: readonly SourceTable[]): Renamed {
  const sources = new Set(names.tables.map(({ source }) => source.toLowerCase()));
  let rewritten = "";
  let from = 0;
  let unknown: Renamed["unknown"] = null;
  for (const path of pathsIn(sql).filter(isDirect)) {
    const { start, end, parts, hasBackticks } = path;
    const table = tableOf(path, names, records);
    const place = placeAt(sql, start);
    if (table === null && !hasBackticks) {
      if (parts.length > 2 && sources.has(parts[0]!.toLowerCase()))
        unknown ??= { name: parts.join("."), place };
      continue;
    }
    if (table === null && parts.length > 2) throw names.unknown(parts.join("."), place);
    const text = table === null ? parts.map(quoteIdentifier).join(".") : nameOf(table, path);
    rewritten += sql.slice(from, start) + text;
    from = end;
  }
  return { sql: rewritten + sql.slice(from), unknown };
}

const isDirect = ({ whole, hasBackticks }: Path): boolean => hasBackticks || whole.split(".").length > 2;

function pathsIn(sql: string): readonly Path[] {
  if (!sql.includes("`") && !/\.[^]*\./.test(sql)) return [];
  const tokens = tokensOf(sql);
  return tokens.flatMap((token, at): readonly Path[] => {
    const first = tokens[at + 1];
    if (!BEFORE.test(token.text) || first === undefined) return [];
    PATH.lastIndex = first.start;
    const [text] = PATH.exec(sql) ?? [];
    if (text === undefined) return [];
    const end = first.start + text.length;
    const parts = [...text.matchAll(PARTS)].flatMap(([part]) => partsOf(part));
    let next = at + 2;
    while (next < tokens.length && tokens[next]!.start < end) next += 1;
    const isFrom = /^(?:FROM|JOIN)$/i.test(token.text);
    return [
      {
        start: first.start,
        end,
        parts,
        whole: parts.join("."),
        hasBackticks: text.includes("`"),
        hasAlias: !isFrom || isAlias(tokens[next]),
      },
    ];
  });
}

/** Whether a token after a table is its alias, or AS. */
function isAlias(next: Token | undefined): boolean {
  return next !== undefined && WORD.test(next.text) && !AFTER.test(next.text);
}

function partsOf(part: string): string | readonly string[] {
  if (part.startsWith("`")) return part.slice(1, -1).split(".");
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part;
}

/** Returns the accessible remote table with a name in its source; null if there is none, or one in each of several sources. */
function tableOf({ whole }: Path, names: TableNames, records: readonly SourceTable[]): AnalyticsTable | null {
  const dot = whole.indexOf(".");
  const [source, inSource] = [whole.slice(0, dot).toLowerCase(), whole.slice(dot + 1)];
  const isFull = whole.split(".").length > 2;
  const isNamed = (record: SourceTable): boolean => {
    if (record.queryMode !== "remote" || !isFull) return false;
    const name = sourceNameOf(record);
    if (name === whole || (name === inSource && record.source.toLowerCase() === source)) return true;
    return record.namespace !== undefined && `${record.namespace}.${name}` === whole;
  };
  const ids = new Set(records.filter(isNamed).map(({ id }) => id));
  const found = names.tables.filter((table) => ids.has(tableId(table)));
  return new Set(found.map((table) => table.source)).size === 1 ? found[0]! : null;
}

/** The name of a table in SQL, which keeps the name by which the rest of the SQL refers to its columns. */
function nameOf({ source, name }: AnalyticsTable, { parts, hasAlias }: Path): string {
  const own = [source, name].map(quoteIdentifier).join(".");
  const last = parts.at(-1)!;
  return hasAlias || last === name ? own : `${own} AS ${quoteIdentifier(last)}`;
}
