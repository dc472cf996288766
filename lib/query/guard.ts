import { nearest, formatValue } from "../base/mod.ts";
import {
  isAllowedFunction,
  isAllowedTableFunction,
  knownFunctions,
  refusalOfFunction,
  type FunctionUse,
} from "../sql/mod.ts";
import type { Connection } from "../duckdb/mod.ts";
import { boundsOf, checkBounds, isBoundedFunction } from "./bounds.ts";
import { isDatabaseName, PUBLIC_DATABASE } from "./database-name.ts";
import { isListedTable, isListing, SPLIT_TO_TABLE } from "./listings.ts";
import {
  parseSelect,
  type Entered,
  type ParsedSelect,
  type Placed,
  type PlacedFacts,
  type PlacedTable,
} from "./parse-select.ts";
import { invalid } from "./params/literals.ts";
import { refuse } from "./refuse.ts";
import { typeChecksOf, type TypeChecks } from "./types.ts";

/** SQL that passed the guard. */
export interface GuardedQuery extends Omit<ParsedSelect, "facts"> {
  /** The tables that it reads, without its common table expressions. */
  readonly tables: readonly PlacedTable[];
  /** Whether it lists tables or columns, or has another part to replace; see `withListings`. */
  readonly hasListings: boolean;
  /** Statements to run on the connection first; see `boundsOf`. */
  readonly bounds: readonly string[];
  /** Checks that depend on the types of its tables and result. */
  readonly typeChecks: TypeChecks;
  /** Whether its rows are those of one table at most: it joins nothing. */
  readonly readsOnce: boolean;
  /** Whether it may read a copy of its table: its kept statement then returns the same later, and it names no internal database. */
  readonly mayReadCopy: boolean;
}

/**
 * Accepts SQL if DuckDB's parser finds exactly one SELECT, or EXPLAIN of one, whose tables are unqualified or
 * `source.table`, and whose functions are on the list of functions that depend only on their arguments. The guard
 * checks the parse tree, not the text, so the content of literals and names does not matter.
 *
 * `TableNames.resolve` checks whether the tables exist and are accessible. Nothing is bound or run.
 *
 * @throws `sql_malformed`, `sql_not_allowed` with the reason and a remedy, `parameters_invalid` for a parameter, `sql_too_long`
 */
export async function guardQuery(
  connection: Connection,
  sql: string,
  entered?: Entered,
): Promise<GuardedQuery> {
  const { facts, ...parsed } = await parseSelect(connection, sql, entered);
  for (const { kind, what } of facts.unusual) if (kind !== "variant") checkUnusual(kind, what, facts);
  for (const use of facts.tableFunctions) checkTableFunction(use);
  for (const use of facts.functions) checkFunction(use);
  for (const use of facts.tables) checkTable(use);
  checkBounds(facts.functions);
  const readsOnce =
    facts.tables.length === 1 && facts.tableFunctions.length === 0 && !hasCommonTables(parsed.tree);
  return {
    ...parsed,
    tables: facts.tables.filter((use) => !isListedTable(use)),
    hasListings:
      facts.unusual.some(({ kind }) => kind === "listing") ||
      facts.tables.some(isListedTable) ||
      facts.tableFunctions.some(({ name }) => name.toLowerCase() === SPLIT_TO_TABLE),
    bounds: [
      ...boundsOf(facts.functions),
      ...(facts.namesDatabase || facts.functions.some(isDatabaseName) ? [PUBLIC_DATABASE] : []),
    ],
    typeChecks: typeChecksOf(facts),
    readsOnce,
    mayReadCopy:
      readsOnce &&
      !facts.functions.some(({ name }) => USES_TIME.test(name)) &&
      !KEYWORDS.test(parsed.sql) &&
      !parsed.sql.toLowerCase().includes(DATABASE_PREFIX),
  };
}

/** Functions of the current time. DuckDB computes some of them once for a kept statement, unless it binds it again. */
const USES_TIME = /^(?:age|now|today|transaction_timestamp)$/i;

/** The start of the others, which are functions in some forms only; `current_timestamp` is parsed as a column. */
const KEYWORDS = /current_|local/i;

/** Whether a tree has common table expressions, which may be read more than once. */
function hasCommonTables(tree: unknown): boolean {
  return JSON.stringify(tree).includes('"cte_map":{"map":[{');
}

function checkUnusual(
  kind: "describe" | "listing" | "parameter" | "unknown",
  what: string,
  { placeOfToken }: PlacedFacts,
): void {
  switch (kind) {
    case "describe":
      return;
    case "listing":
      if (isListing(what)) return;
      return refuse(
        `it lists ${what.replaceAll('"', "")}`,
        "Use SHOW TABLES, SHOW ALL TABLES or DESCRIBE.",
        placeOfToken(/^show$/i),
      );
    case "parameter":
      throw invalid(
        `${formatValue(what)} of the SQL has no value`,
        "Set its value in `params`, or with --param NAME=VALUE.",
        placeOfToken(what === "1" ? /^(?:\?|\$1)$/ : PARAMETER),
      );
    case "unknown":
      return refuse(`it uses ${formatValue(what)}, which is not supported`, "Rewrite the query without it.");
  }
}

const PARAMETER = /^(?:\?|\$\w+)$/;

function checkTableFunction(use: Placed<FunctionUse>): void {
  if (use.catalog === "" && ["", "main"].includes(use.schema) && isAllowedTableFunction(use.name)) return;
  if (use.catalog === "" && use.schema === "" && use.name.toLowerCase() === SPLIT_TO_TABLE) return;
  const reads = /read|scan|glob|sniff|parquet|csv|json|text|blob/i.test(use.name);
  refuse(
    `it calls the table function ${formatValue(use.name)}, which is not allowed`,
    reads
      ? "Queries cannot read files: add them as a source with the `files` plugin."
      : "Only range, generate_series, unnest, repeat, json_each, json_tree and regexp_split_to_table are allowed after FROM.",
    use.place,
  );
}

function checkFunction(use: Placed<FunctionUse>): void {
  const isKnown = isAllowedFunction(use.name) || isBoundedFunction(use.name) || isDatabaseName(use);
  if (isKnown && !hasInternalDatabase(use)) return;
  const failing = refusalOfFunction(use.name);
  if (failing !== null)
    refuse(`function ${formatValue(use.name)} is not allowed: ${failing.reason}`, failing.advice, use.place);
  const near = nearest(use.name.toLowerCase(), knownFunctions);
  refuse(
    `function ${formatValue(use.name)} is unknown or not allowed`,
    near === undefined
      ? "Queries cannot read files, settings or the environment; use a function that depends only on its arguments."
      : `Did you mean ${formatValue(near)}?`,
    use.place,
  );
}

/**
 * DuckDB parses `x.lower()` and `t.x.lower()` as functions of a schema `x`, and then falls back to the column. So the
 * guard checks the name of the function without its qualification. Exception: a database that Agnes attaches may
 * contain a macro of any name.
 */
function hasInternalDatabase(use: FunctionUse): boolean {
  return [use.catalog, use.schema].some((name) => name.toLowerCase().startsWith(DATABASE_PREFIX));
}

/** The prefix of all `databaseNames`. */
const DATABASE_PREFIX = "agnes:";

/** The start of the reason why a table is rejected that has a name of three parts. */
export const OTHER_DATABASE = "it refers to the database";

function checkTable(use: PlacedTable): void {
  if (use.catalog !== "") {
    const advice = "Refer to tables as `table` or `source.table`.";
    refuse(`${OTHER_DATABASE} ${formatValue(use.catalog)}`, advice, use.place);
  }
  if (looksLikeFile(use.name)) {
    refuse(
      `it reads ${formatValue(use.name)} as a file`,
      "Queries cannot read files: add them as a source with the `files` plugin.",
      use.place,
    );
  }
}

function looksLikeFile(name: string): boolean {
  return /[/\\*?:]/.test(name) || /\.(parquet|csv|tsv|jsonl?|ndjson|duckdb|db|txt|xlsx?|gz|zst)$/i.test(name);
}
