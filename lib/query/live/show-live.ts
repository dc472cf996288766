import { isAllowedTableFunction, parseSql } from "../../sql/mod.ts";
import { tableId, type AnalyticsTable } from "../../analytics/mod.ts";
import type { Connection } from "../../duckdb/mod.ts";
import type { TableNames } from "../tables.ts";
import type { LiveTable } from "../../sources/mod.ts";
import { QueryDatabase, type LiveQuery } from "./query-database.ts";
import { nodesOf, type Node } from "./tree.ts";

/** What is to be run over live tables. */
export interface LiveStatement {
  /** The SELECT; null when its text is not all that is run, so that everything is wanted. */
  readonly sql: string | null;
  /** Whether it is only bound or explained, so that no row is read. Default `false`. */
  readonly schemaOnly?: boolean;
  /** How many rows of the answer are read. */
  readonly rowsMax: number;
  readonly signal: AbortSignal;
}

/** What the query runs on. */
export interface LivePlace {
  /** A free name for the query's own database. */
  readonly name: string;
  readonly connection: Connection;
  readonly names: TableNames;
  readonly tables: readonly AnalyticsTable[];
  /** Those that are live, by id. */
  readonly live: ReadonlyMap<string, LiveTable>;
}

/** The query's own database, which is still to be filled. */
export async function planLive(place: LivePlace, statement: LiveStatement): Promise<QueryDatabase> {
  const { name, connection, names, tables, live } = place;
  const { sql, rowsMax, signal, schemaOnly = false } = statement;
  const query: LiveQuery = {
    root: null,
    sql,
    schemaOnly,
    isAlone: schemaOnly,
    uses: [],
    tables,
    live,
    rowsMax,
    signal,
  };
  const parsed = sql === null ? null : await parseSql(connection, sql);
  if (parsed?.kind !== "select") return new QueryDatabase(name, connection, query);
  const { facts, tree } = parsed;
  const root = (tree as { readonly statements: readonly [{ readonly node: Node }] }).statements[0].node;
  const uses = facts.tables.flatMap((use) => names.resolveKnown([use]).map((table) => ({ use, table })));
  const isAlone =
    facts.tables.length === 1 &&
    facts.unusual.length === 0 &&
    facts.tableFunctions.every((called) => isAllowedTableFunction(called.name)) &&
    tables.every((table) => live.has(tableId(table))) &&
    !repeats(root);
  return new QueryDatabase(name, connection, { ...query, root, uses, isAlone });
}

/** Whether a part of it may run several times. */
function repeats(root: Node): boolean {
  for (const node of nodesOf(root)) if (node["type"] === "RECURSIVE_CTE_NODE") return true;
  return false;
}
