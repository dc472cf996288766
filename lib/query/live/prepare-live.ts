import { isAllowedTableFunction, parseSql } from "../../sql/mod.ts";
import { tableId, type AnalyticsTable } from "../../analytics/mod.ts";
import type { Connection } from "../../duckdb/mod.ts";
import type { HybridPlace } from "../hybrid/types.ts";
import type { Opening } from "../opening.ts";
import type { TableNames } from "../tables.ts";
import type { LiveTable } from "../../sources/mod.ts";
import { QueryDatabase, type LiveQuery } from "./query-database.ts";
import { nodesOf, type Node } from "./tree.ts";

/** A statement over live tables. */
export interface LiveStatement {
  /** The SELECT; null if other statements run as well, so that all rows are needed. */
  readonly sql: string | null;
  /** The SELECT of an EXPLAIN. Default: it is none. */
  readonly explained?: string;
  /** Whether the statement is only bound or explained, so that no rows are read. Default: false. */
  readonly schemaOnly?: boolean;
  /** The number of rows of the result that are read. */
  readonly rowsMax: number;
  /** Creates tables in the database of the query, besides the live ones. Default: there are none. */
  readonly load?: (place: HybridPlace) => Promise<void>;
  /** On whose behalf the sources are read; see `SourceQueryOptions.user`. */
  readonly user?: Opening["user"];
  /** Receives the jobs of the sources of live tables. Default: they are only in the receipt. */
  readonly onJob?: Opening["onJob"];
  readonly signal: AbortSignal;
}

/** The connection and the tables of a query. */
export interface LivePlace {
  /** An unused name for the database of the query. */
  readonly name: string;
  readonly connection: Connection;
  readonly names: TableNames;
  readonly tables: readonly AnalyticsTable[];
  /** The live tables, by id. */
  readonly live: ReadonlyMap<string, LiveTable>;
  /** Creates further tables in a database; null: there are none. */
  readonly load: ((database: string) => Promise<void>) | null;
}

/** Plans the database of a query; `fill` creates its tables. */
export async function planLive(place: LivePlace, statement: LiveStatement): Promise<QueryDatabase> {
  const { name, connection, names, tables, live, load } = place;
  const { sql, rowsMax, user, signal, onJob, schemaOnly = false } = statement;
  const query: LiveQuery = {
    root: null,
    sql,
    schemaOnly,
    load,
    isAlone: schemaOnly,
    uses: [],
    tables,
    live,
    rowsMax,
    user,
    onJob,
    signal,
  };
  const parsed = sql === null ? null : await parseSql(connection, sql);
  if (parsed?.kind !== "select") return new QueryDatabase(name, connection, query);
  const { facts, tree } = parsed;
  const root = (tree as { readonly statements: readonly [{ readonly node: Node }] }).statements[0].node;
  const uses = facts.tables.flatMap((use) => names.resolveKnown([use]).map((table) => ({ use, table })));
  const isAlone =
    load === null &&
    facts.tables.length === 1 &&
    facts.unusual.length === 0 &&
    facts.tableFunctions.every((called) => isAllowedTableFunction(called.name)) &&
    tables.every((table) => live.has(tableId(table))) &&
    !repeats(root);
  return new QueryDatabase(name, connection, { ...query, root, uses, isAlone });
}

/** Whether a part of the statement may run several times. */
function repeats(root: Node): boolean {
  for (const node of nodesOf(root)) if (node["type"] === "RECURSIVE_CTE_NODE") return true;
  return false;
}
