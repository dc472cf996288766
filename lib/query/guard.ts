import { AgnesError, nearest, shown } from "../base/mod.ts";
import {
  isAllowedFunction,
  isAllowedTableFunction,
  knownFunctions,
  parseSql,
  refusalOfFunction,
  type FunctionUse,
  type SelectFacts,
  type TableUse,
} from "../analytics/mod.ts";
import type { Connection } from "../duckdb/mod.ts";
import { boundsOf, checkBounds, isBoundedFunction } from "./bounds.ts";
import { explained } from "./explain.ts";
import { isListedTable, isListing, SPLIT_TO_TABLE } from "./listings.ts";
import { pivotsOf, type Pivot } from "./pivot.ts";
import { indexOfCharacter, placeAt } from "./place.ts";
import { markPivots, type MarkedSql } from "./pivot-text.ts";
import { typeChecksOf, type TypeChecks } from "./types.ts";

/** The longest SQL that is read. */
export const SQL_LENGTH_MAX = 1_000_000;

/** SQL that may run. */
export interface GuardedQuery extends Omit<ParsedSelect, "facts"> {
  /** The tables it reads, as it names them; never one of its own common table expressions. */
  readonly tables: readonly TableUse[];
  /** Whether it lists tables or columns, or has another part that is to be replaced; see `withListings`. */
  readonly hasListings: boolean;
  /** Statements to run on the connection first; see `boundsOf`. */
  readonly bounds: readonly string[];
  /** What only the types of its tables and of its answer decide. */
  readonly typeChecks: TypeChecks;
}

/**
 * Lets SQL through when DuckDB's parser finds exactly one SELECT in it, or EXPLAIN of one, whose tables are
 * unqualified or `source.table`, and whose functions are all known to read nothing but their arguments. It looks at
 * the tree, never at the text, so what a literal or a name says does not matter.
 *
 * Whether the tables exist and are granted is for `resolveTables`. Nothing is bound or run.
 *
 * @throws `sql_malformed`, `sql_not_allowed` with the reason and what to do instead, `sql_too_long`
 */
export async function guardQuery(connection: Connection, sql: string): Promise<GuardedQuery> {
  const { facts, ...parsed } = await parseSelect(connection, sql);
  for (const { kind, what } of facts.unusual) if (kind !== "variant") checkUnusual(kind, what);
  for (const use of facts.tableFunctions) checkTableFunction(use);
  for (const use of facts.functions) checkFunction(use);
  for (const use of facts.tables) checkTable(use);
  checkBounds(facts.functions);
  return {
    ...parsed,
    tables: facts.tables.filter((use) => !isListedTable(use)),
    hasListings:
      facts.unusual.some(({ kind }) => kind === "listing") ||
      facts.tables.some(isListedTable) ||
      facts.tableFunctions.some(({ name }) => name.toLowerCase() === SPLIT_TO_TABLE),
    bounds: boundsOf(facts.functions),
    typeChecks: typeChecksOf(facts),
  };
}

/** One SELECT, read. */
export interface ParsedSelect {
  /** The SELECT; without EXPLAIN. */
  readonly sql: string;
  /** DuckDB's tree of it; with markers where `pivots` are. */
  readonly tree: unknown;
  readonly facts: SelectFacts;
  /** The PIVOTs whose columns the data tell; null when there is none. */
  readonly pivots: DynamicPivots | null;
  /** Whether its plan is asked for, not its rows. */
  readonly isExplained: boolean;
}

/** The SQL with a marker for the values of each PIVOT, and what gives them. */
interface DynamicPivots {
  readonly marked: MarkedSql;
  readonly pivots: readonly Pivot[];
}

/**
 * The one SELECT that SQL is, whatever it reads.
 * @throws `sql_malformed`, `sql_not_allowed`, `sql_too_long`
 */
export async function parseSelect(connection: Connection, sql: string): Promise<ParsedSelect> {
  if (sql.length > SQL_LENGTH_MAX) {
    throw new AgnesError("sql_too_long", { length: sql.length, limit: SQL_LENGTH_MAX });
  }
  // DuckDB would take it for the end of the text, and not look at what follows.
  if (sql.includes("\0"))
    throw new AgnesError("sql_malformed", { reason: "it has a null character", position: null });
  const parsed = await parseSql(connection, sql);
  switch (parsed.kind) {
    case "select":
      return { sql, tree: parsed.tree, facts: parsed.facts, pivots: null, isExplained: false };
    case "malformed":
      throw malformed(sql, parsed.reason, parsed.position);
    case "statements":
      if (parsed.count === 0)
        throw new AgnesError("sql_malformed", { reason: "there is no statement in it", position: null });
      return refuse(`it has ${parsed.count} statements`, "Send one SELECT at a time.");
    case "other":
      return (
        (await parsePivot(connection, sql)) ??
        (await parseExplained(connection, sql)) ??
        refuse("it is not a SELECT", adviceFor(sql))
      );
  }
}

function malformed(sql: string, reason: string, position: number | null): AgnesError {
  const place = position === null ? {} : { place: placeAt(sql, indexOfCharacter(sql, position)) };
  return new AgnesError("sql_malformed", { reason, position, ...place });
}

/** For DuckDB's parser, a PIVOT without values is several statements. */
async function parsePivot(connection: Connection, sql: string): Promise<ParsedSelect | null> {
  const marked = markPivots(sql);
  if (marked === null) return null;
  const parsed = await parseSql(connection, marked.sql);
  if (parsed.kind !== "select") return null;
  const pivots = await pivotsOf(connection, parsed.tree, marked);
  const { tree, facts } = parsed;
  return { sql, tree, facts, pivots: { marked, pivots }, isExplained: false };
}

/** DuckDB's parser gives no tree of EXPLAIN, so that what it explains is parsed alone. */
async function parseExplained(connection: Connection, sql: string): Promise<ParsedSelect | null> {
  const select = explained(sql);
  return select === null ? null : { ...(await parseSelect(connection, select)), isExplained: true };
}

function refuse(reason: string, advice: string): never {
  throw new AgnesError("sql_not_allowed", { reason, advice });
}

function checkUnusual(kind: "describe" | "listing" | "parameter" | "unknown", what: string): void {
  switch (kind) {
    case "describe":
      return;
    case "listing":
      if (isListing(what)) return;
      return refuse(
        `it lists ${what.replaceAll('"', "")}`,
        "SHOW TABLES, SHOW ALL TABLES and DESCRIBE list tables.",
      );
    case "parameter":
      return refuse(
        `it has the parameter ${shown(what)}, and there is nothing to give it`,
        "Write the value itself.",
      );
    case "unknown":
      return refuse(`it uses ${shown(what)}, which is not known to be safe`, "Write it another way.");
  }
}

/** Only chooses the advice; what is refused is decided by the parser. */
function adviceFor(sql: string): string {
  const word = /^(?:\s+|--[^\n]*\n|\/\*[\s\S]*?\*\/)*([a-z_]+)/i.exec(sql)?.[1]?.toLowerCase() ?? "";
  if (word === "pivot" || word === "unpivot") {
    return `Write it inside a SELECT: FROM table ${word.toUpperCase()} (…), with the values listed.`;
  }
  if (word === "explain") return "Write EXPLAIN and one SELECT, without ANALYZE and options.";
  return "Tables are only read here: write a SELECT. Data is changed by its source, and `agnes sync` brings it.";
}

function checkTableFunction(use: FunctionUse): void {
  if (use.catalog === "" && ["", "main"].includes(use.schema) && isAllowedTableFunction(use.name)) return;
  if (use.catalog === "" && use.schema === "" && use.name.toLowerCase() === SPLIT_TO_TABLE) return;
  const reads = /read|scan|glob|sniff|parquet|csv|json|text|blob/i.test(use.name);
  refuse(
    `it calls ${shown(use.name)} after FROM`,
    reads
      ? "Files are not read by queries: make a source of them with the `files` plugin."
      : "Only range, generate_series, unnest, repeat, json_each, json_tree and regexp_split_to_table may stand there.",
  );
}

function checkFunction(use: FunctionUse): void {
  const isKnown = isAllowedFunction(use.name) || isBoundedFunction(use.name);
  if (isKnown && !namesOurDatabase(use)) return;
  const failing = refusalOfFunction(use.name);
  if (failing !== null)
    refuse(`the function ${shown(use.name)} is refused: ${failing.reason}`, failing.advice);
  const near = nearest(use.name.toLowerCase(), knownFunctions);
  refuse(
    `the function ${shown(use.name)} is unknown, or tells more than the tables hold`,
    near === undefined
      ? "Files, settings and the environment are out of reach; use a function of the values themselves."
      : `Did you mean ${shown(near)}?`,
  );
}

/**
 * `x.lower()` and `t.x.lower()` look to DuckDB's parser like functions of a schema `x`: it tries that schema first,
 * then the column. So the name of the function decides, as without the qualification, except that a database which
 * Agnes attaches may bring a macro of any name.
 */
function namesOurDatabase(use: FunctionUse): boolean {
  return [use.catalog, use.schema].some((name) => name.toLowerCase().startsWith(DATABASE_PREFIX));
}

/** Of every name in `databaseNames`. */
const DATABASE_PREFIX = "agnes:";

function checkTable(use: TableUse): void {
  if (use.catalog !== "") {
    refuse(`it names the database ${shown(use.catalog)}`, "Name tables as `table` or `source.table`.");
  }
  if (looksLikeFile(use.name)) {
    refuse(
      `it reads ${shown(use.name)} as a file`,
      "Files are not read by queries: make a source of them with the `files` plugin.",
    );
  }
}

function looksLikeFile(name: string): boolean {
  return /[/\\*?:]/.test(name) || /\.(parquet|csv|tsv|jsonl?|ndjson|duckdb|db|txt|xlsx?|gz|zst)$/i.test(name);
}
