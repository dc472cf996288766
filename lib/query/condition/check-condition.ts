import { isDeepStrictEqual } from "node:util";

import { changedSpace, type Connection } from "../../duckdb/mod.ts";
import { isAllowedFunction, parseSql } from "../../sql/mod.ts";
import { refuse } from "../refuse.ts";
import { rejected } from "./rejected.ts";

type Node = Record<string, unknown>;

/** The table of a condition. */
export interface ConditionTable {
  /** Its columns, in lower case. */
  readonly columns: ReadonlySet<string>;
  /** The names that may stand before a column, in lower case: the table, and its source and table. */
  readonly qualifiers: readonly (readonly string[])[];
}

const PREFIX = "SELECT * FROM t WHERE (\n";

/** As long as `PREFIX`, so that both trees have the same places. */
const PREFIX_ALONE = "SELECT * FROM t WHERE  \n";

/**
 * Parses a condition and returns its tree, to be rendered again: the text itself never runs. The rest of the statement
 * around the condition must be as it was, so that a condition cannot end it. Without the parentheses it must be the same
 * condition, so that it cannot close them, as `true) OR (false` does.
 * @throws `validator_rejected`, `sql_not_allowed` for a text that DuckDB would change
 */
export async function checkCondition(
  connection: Connection,
  where: string,
  table: ConditionTable,
): Promise<unknown> {
  const space = changedSpace(where);
  if (space !== null) refuse(`${space.reason}, at character ${space.index + 1}`, space.advice);
  const parsed = where.includes("\0") ? null : await parseSql(connection, `${PREFIX}${where}\n)`);
  if (parsed?.kind !== "select") throw rejected("where", await kindOfMalformed(connection, where));
  const expected = await parseSql(connection, `${PREFIX}true\n)`);
  const [found, plain] = [splitWhere(parsed.tree), splitWhere((expected as { tree: unknown }).tree)];
  if (!isDeepStrictEqual(withoutPlaces(found.rest), withoutPlaces(plain.rest))) {
    const isSelect = JSON.stringify(found.rest).includes("SET_OPERATION_NODE");
    throw rejected("where", isSelect ? "nested_select" : "disallowed_node");
  }
  const alone = await parseSql(connection, `${PREFIX_ALONE}${where}\n`);
  if (alone.kind !== "select" || !isDeepStrictEqual(alone.tree, parsed.tree))
    throw rejected("where", await kindOfMalformed(connection, where));
  await checkTree(connection, found.where, table, where);
  return found.where;
}

/** Splits the tree of a SELECT into its condition and the rest. */
function splitWhere(tree: unknown): { readonly where: unknown; readonly rest: unknown } {
  const rest = structuredClone(tree) as { statements: readonly { node: Node }[] };
  const node = rest.statements[0]!.node;
  const where = node["where_clause"];
  node["where_clause"] = null;
  return { where, rest };
}

function withoutPlaces(tree: unknown): unknown {
  return JSON.parse(JSON.stringify(tree, (key, value: unknown) => (key === "query_location" ? 0 : value)));
}

async function kindOfMalformed(connection: Connection, where: string) {
  const alone = where.includes("\0") ? null : await parseSql(connection, where);
  if (alone?.kind === "other") return "ddl_or_dml";
  if (alone?.kind === "select") return "nested_select";
  const code = where.replaceAll(/'(?:[^']|'')*'|"(?:[^"]|"")*"|--.*|\/\*[^]*?\*\//g, "");
  return code.includes(";") ? "multi_statement" : "parse_error";
}

/** The classes of expressions of a condition on one row. */
const CLASSES = new Set(
  "BETWEEN CASE CAST COLLATE COLUMN_REF COMPARISON CONJUNCTION CONSTANT FUNCTION OPERATOR TYPE".split(" "),
);

/** Functions without parentheses, which DuckDB parses as columns. */
const VALUE_FUNCTIONS = new Set(
  "current_date current_time current_timestamp localtime localtimestamp".split(" "),
);

async function checkTree(connection: Connection, root: unknown, table: ConditionTable, where: string) {
  let aggregates: ReadonlySet<string> | null = null;
  // An explicit stack, because SQL may be nested deeper than JavaScript can recurse.
  const todo: unknown[] = [root];
  while (todo.length > 0) {
    const value = todo.pop();
    if (value === null || typeof value !== "object") continue;
    if (Array.isArray(value)) {
      for (const item of value as unknown[]) todo.push(item);
      continue;
    }
    const node = value as Node;
    const place = placeOf(node, where);
    if ("class" in node) {
      const name = String(node["class"]);
      if (name === "SUBQUERY") throw rejected("where", "nested_select", place);
      if (!CLASSES.has(name)) throw rejected("where", "disallowed_node", place);
      if (name === "FUNCTION") checkFunction(node, (aggregates ??= await aggregateNames(connection)), place);
      if (name === "COLUMN_REF") checkColumn(node, table, place);
    } else if ("cte_map" in node || "table_name" in node) throw rejected("where", "nested_select", place);
    for (const child of Object.values(node)) todo.push(child);
  }
}

/** Names of macros that call an aggregate, and functions that return several rows. */
const NOT_SCALAR = "geomean geometric_mean wavg weighted_avg unnest generate_subscripts".split(" ");

async function aggregateNames(connection: Connection): Promise<ReadonlySet<string>> {
  const rows = await connection.rows<{ name: string }>(
    "SELECT DISTINCT lower(function_name) AS name FROM duckdb_functions() WHERE function_type = 'aggregate'",
  );
  return new Set([...rows.map(({ name }) => name), ...NOT_SCALAR]);
}

function checkFunction(node: Node, aggregates: ReadonlySet<string>, place: number | null): void {
  const name = String(node["function_name"]).toLowerCase();
  // DuckDB's parser writes `[1]` as a function of the schema main.
  const isPlain = node["catalog"] === "" && ["", "main"].includes(String(node["schema"]));
  if (!isPlain || !isAllowedFunction(name)) throw rejected("where", "unknown_function", place);
  const { orders } = (node["order_bys"] ?? { orders: [] }) as { readonly orders: readonly unknown[] };
  const isAggregate = aggregates.has(name) || node["distinct"] === true || node["filter"] !== null;
  if (isAggregate || orders.length > 0) throw rejected("where", "disallowed_node", place);
}

/** Checks a reference to a column, and removes the name of the table before it. */
function checkColumn(node: Node, { columns, qualifiers }: ConditionTable, place: number | null): void {
  const names = node["column_names"] as readonly string[];
  const folded = names.map((name) => name.toLowerCase());
  const qualifier = qualifiers.find(
    (parts) => parts.length < folded.length && parts.every((part, at) => part === folded[at]),
  );
  const at = qualifier !== undefined && columns.has(folded[qualifier.length]!) ? qualifier.length : 0;
  if (columns.has(folded[at]!)) {
    node["column_names"] = names.slice(at);
    return;
  }
  if (names.length > 1)
    throw rejected("where", qualifier ? "unknown_column" : "cross_table_reference", place);
  if (!VALUE_FUNCTIONS.has(folded[0]!)) throw rejected("where", "unknown_column", place);
}

/** The place of a node in the condition, in characters from 0; null: unknown. */
function placeOf(node: Node, where: string): number | null {
  const bytes = Number(node["query_location"]) - PREFIX.length;
  if (!(bytes >= 0) || bytes > 4 * where.length) return null;
  return new TextDecoder().decode(new TextEncoder().encode(where).subarray(0, bytes)).length;
}
