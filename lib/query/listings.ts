import { databaseNames, tableId, type AnalyticsTable } from "../analytics/mod.ts";
import { parseSql, type TableUse } from "../sql/mod.ts";
import { quoteIdentifier, quoteLiteral, type Connection } from "../duckdb/mod.ts";

type Node = Record<string, unknown>;

/** The names in DuckDB's tree of statements that list tables: SHOW TABLES; DESCRIBE and SHOW ALL TABLES. */
const LISTINGS: ReadonlyMap<string, (tables: readonly AnalyticsTable[]) => string> = new Map([
  ['"tables"', listNames],
  ["__show_tables_expanded", listAll],
]);

/** The supported tables of `information_schema`. */
const SCHEMA_TABLES: ReadonlySet<string> = new Set(["tables", "columns"]);

/** A table function of PostgreSQL, which DuckDB supports only as an expression. */
export const SPLIT_TO_TABLE = "regexp_split_to_table";

/** Whether a listing in DuckDB's tree is supported. */
export function isListing(name: string): boolean {
  return LISTINGS.has(name);
}

/** Whether a table is a supported table of `information_schema`. */
export function isListedTable({ catalog, schema, name }: TableUse): boolean {
  return (
    catalog === "" && schema.toLowerCase() === "information_schema" && SCHEMA_TABLES.has(name.toLowerCase())
  );
}

/**
 * Replaces every listing of tables or columns in a tree by a list of the accessible tables.
 *
 * The lists are common table expressions and not subqueries, because the SQL of a subquery can become a column name.
 * @param tree DuckDB's tree of SQL that passed the guard
 */
export async function withListings(
  connection: Connection,
  tree: unknown,
  tables: readonly AnalyticsTable[],
): Promise<unknown> {
  const text = JSON.stringify(tree);
  const names = new Map<string, string>();
  const expressions: unknown[] = [];
  for (const kind of new Set(kindsIn(tree))) {
    let name = LISTINGS.has(kind) ? "show_tables" : kind;
    while (text.includes(JSON.stringify(name)) || [...names.values()].includes(name)) name += "_";
    names.set(kind, name);
    const list = LISTINGS.get(kind)?.(tables) ?? schemaTable(kind, tables);
    expressions.push(...(await expressionOf(connection, name, list)));
  }
  const replaced = JSON.stringify(tree, (_key, value: unknown) => {
    const node = value as Node | null;
    if (node?.["type"] === "TABLE_FUNCTION") return splitToTable(node);
    const kind = kindOf(value);
    return kind === null ? value : tableOf(node!, names.get(kind)!);
  });
  const made = JSON.parse(replaced) as { statements: readonly [{ node: { cte_map: { map: unknown[] } } }] };
  made.statements[0].node.cte_map.map.unshift(...expressions);
  return made;
}

function tableOf(node: Node, name: string): Node {
  const alias = node["alias"] === "" && node["type"] === "BASE_TABLE" ? node["table_name"] : node["alias"];
  return {
    ...EMPTY_TABLE,
    sample: node["sample"],
    alias,
    table_name: name,
    column_name_alias: node["column_name_alias"] ?? [],
  };
}

const EMPTY_TABLE = { type: "BASE_TABLE", schema_name: "", catalog_name: "", at_clause: null } as const;

function kindsIn(tree: unknown): readonly string[] {
  const kinds: string[] = [];
  const todo = [tree];
  while (todo.length > 0) {
    const value = todo.pop();
    if (value === null || typeof value !== "object") continue;
    const kind = kindOf(value);
    if (kind !== null) kinds.push(kind);
    for (const child of Object.values(value)) todo.push(child);
  }
  return kinds;
}

function kindOf(value: unknown): string | null {
  const node = value as Node | null;
  const name = node?.["table_name"];
  if (typeof name !== "string") return null;
  if (node!["type"] === "SHOW_REF" && node!["query"] === null) return isListing(name) ? name : null;
  if (node!["type"] !== "BASE_TABLE") return null;
  const use = { catalog: String(node!["catalog_name"]), schema: String(node!["schema_name"]), name };
  return isListedTable({ ...use, position: null }) ? `information_schema.${name.toLowerCase()}` : null;
}

/** Returns a common table expression as DuckDB's tree. */
async function expressionOf(connection: Connection, name: string, sql: string): Promise<readonly unknown[]> {
  const parsed = await parseSql(connection, `WITH ${quoteIdentifier(name)} AS (${sql}) SELECT 1`);
  if (parsed.kind !== "select") throw new Error(`DuckDB cannot parse ${sql}`);
  const { statements } = parsed.tree as { statements: readonly [{ node: { cte_map: { map: unknown[] } } }] };
  return statements[0].node.cte_map.map;
}

function splitToTable(node: Node): Node {
  const called = node["function"] as Node;
  if (String(called["function_name"]).toLowerCase() !== SPLIT_TO_TABLE) return node;
  const isNamed = node["alias"] !== "";
  const names = node["column_name_alias"] as readonly string[];
  const split = { ...called, function_name: "string_split_regex" };
  return {
    ...node,
    alias: isNamed ? node["alias"] : SPLIT_TO_TABLE,
    column_name_alias: names.length > 0 ? names : [isNamed ? node["alias"] : SPLIT_TO_TABLE],
    function: { ...called, function_name: "unnest", children: [split] },
  };
}

/** Returns the schema and name under which a table is listed. */
function placeOf(table: AnalyticsTable): readonly [schema: string, name: string] {
  return table.viewName === null ? [table.source, table.name] : ["main", table.viewName];
}

function listNames(tables: readonly AnalyticsTable[]): string {
  if (tables.length === 0) return "SELECT NULL::VARCHAR AS name WHERE false";
  const names = tables.map((table) => table.viewName ?? tableId(table)).sort();
  return `SELECT name FROM (VALUES ${names.map((name) => `(${quoteLiteral(name)})`).join(", ")}) AS granted(name)`;
}

function listAll(tables: readonly AnalyticsTable[]): string {
  return `SELECT table_catalog AS database, table_schema AS schema, table_name AS name,
      list(column_name ORDER BY ordinal_position) AS column_names,
      list(data_type ORDER BY ordinal_position) AS column_types, false AS temporary
    FROM (${schemaTable("information_schema.columns", tables)}) AS granted GROUP BY ALL ORDER BY ALL`;
}

/** Selects the rows of an `information_schema` table for the accessible tables, without the internal database name. */
function schemaTable(name: string, tables: readonly AnalyticsTable[]): string {
  const places = tables.map((table) => `[${placeOf(table).map(quoteLiteral).join(", ")}]`);
  const granted =
    places.length === 0
      ? "false"
      : `table_catalog = ${quoteLiteral(databaseNames.analytics)} AND [table_schema, table_name] IN (${places.join(", ")})`;
  return `SELECT * REPLACE ('agnes' AS table_catalog) FROM system.${name} WHERE ${granted}`;
}
