import { AgnesError, nearest, shown } from "../base/mod.ts";
import {
  isAllowedFunction,
  isAllowedTableFunction,
  knownFunctions,
  parseSql,
  type FunctionUse,
  type SelectFacts,
  type TableUse,
} from "../analytics/mod.ts";
import type { Connection } from "../duckdb/mod.ts";
import { pivotsOf, type Pivot } from "./pivot.ts";
import { indexOfCharacter, placeAt } from "./place.ts";
import { markPivots, type MarkedSql } from "./pivot-text.ts";
import { typeChecksOf, type TypeChecks } from "./types.ts";

/** The longest SQL that is read. */
export const SQL_LENGTH_MAX = 1_000_000;

/** SQL that may run. */
export interface GuardedQuery {
  readonly sql: string;
  /** The tables it reads, as it names them; never one of its own common table expressions. */
  readonly tables: readonly TableUse[];
  /** What only the types of its tables and of its answer decide. */
  readonly typeChecks: TypeChecks;
  /** The PIVOTs whose columns the data tell; null when there is none. */
  readonly pivots: DynamicPivots | null;
}

/**
 * Lets SQL through when DuckDB's parser finds exactly one SELECT in it, whose tables are unqualified or
 * `source.table`, and whose functions are all known to read nothing but their arguments. It looks at the tree, never
 * at the text, so what a literal or a name says does not matter.
 *
 * Whether the tables exist and are granted is for `resolveTables`. Nothing is bound or run.
 *
 * @throws `sql_malformed`, `sql_not_allowed` with the reason and what to do instead, `sql_too_long`
 */
export async function guardQuery(connection: Connection, sql: string): Promise<GuardedQuery> {
  const { facts, pivots } = await parseSelect(connection, sql);
  for (const { kind, what } of facts.unusual) if (kind !== "variant") refuseUnusual(kind, what);
  for (const use of facts.tableFunctions) checkTableFunction(use);
  for (const use of facts.functions) checkFunction(use);
  for (const use of facts.tables) checkTable(use);
  return { sql, tables: facts.tables, typeChecks: typeChecksOf(facts), pivots };
}

/** One SELECT, read. */
export interface ParsedSelect {
  readonly facts: SelectFacts;
  readonly pivots: DynamicPivots | null;
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
      return { facts: parsed.facts, pivots: null };
    case "malformed":
      throw malformed(sql, parsed.reason, parsed.position);
    case "statements":
      if (parsed.count === 0)
        throw new AgnesError("sql_malformed", { reason: "there is no statement in it", position: null });
      return refuse(`it has ${parsed.count} statements`, "Send one SELECT at a time.");
    case "other":
      return (await parsePivot(connection, sql)) ?? refuse("it is not a SELECT", adviceFor(sql));
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
  return { facts: parsed.facts, pivots: { marked, pivots } };
}

function refuse(reason: string, advice: string): never {
  throw new AgnesError("sql_not_allowed", { reason, advice });
}

function refuseUnusual(kind: "describe" | "parameter" | "unknown", what: string): never {
  switch (kind) {
    case "describe":
      return refuse("it describes a table instead of selecting from it", DESCRIBE_ADVICE);
    case "parameter":
      return refuse(
        `it has the parameter ${shown(what)}, and there is nothing to give it`,
        "Write the value itself.",
      );
    case "unknown":
      return refuse(`it uses ${shown(what)}, which is not known to be safe`, "Write it another way.");
  }
}

const DESCRIBE_ADVICE = "`agnes catalog` lists tables, `agnes schema TABLE` the columns of one.";

/** Only chooses the advice; what is refused is decided by the parser. */
function adviceFor(sql: string): string {
  const word = /^(?:\s+|--[^\n]*\n|\/\*[\s\S]*?\*\/)*([a-z_]+)/i.exec(sql)?.[1]?.toLowerCase() ?? "";
  if (["describe", "desc", "show", "summarize"].includes(word)) return DESCRIBE_ADVICE;
  if (word === "pivot" || word === "unpivot") {
    return `Write it inside a SELECT: FROM table ${word.toUpperCase()} (…), with the values listed.`;
  }
  if (word === "explain") return "Run the SELECT itself.";
  return "Tables are only read here: write a SELECT. Data is changed by its source, and `agnes sync` brings it.";
}

function checkTableFunction(use: FunctionUse): void {
  if (use.catalog === "" && ["", "main"].includes(use.schema) && isAllowedTableFunction(use.name)) return;
  const reads = /read|scan|glob|sniff|parquet|csv|json|text|blob/i.test(use.name);
  refuse(
    `it calls ${shown(use.name)} after FROM`,
    reads
      ? "Files are not read by queries: make a source of them with the `files` plugin."
      : "Only range, generate_series, unnest, repeat, json_each and json_tree may stand there.",
  );
}

function checkFunction(use: FunctionUse): void {
  if (isAllowedFunction(use.name) && !namesOurDatabase(use)) return;
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
