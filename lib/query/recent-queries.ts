import type { AnalyticsTable } from "../analytics/mod.ts";
import type { GuardedQuery } from "./guard.ts";

/** The number of queries that are kept. */
const QUERIES_MAX = 200;

/** The longest SQL that is kept; longer SQL is rarely repeated, and its tree is large. */
export const KEPT_LENGTH_MAX = 4000;

/**
 * The parsed and checked queries that ran last, by their SQL. The check depends on the SQL alone: whether a caller may read
 * the tables of a query is checked each time that it runs.
 */
export class RecentQueries {
  readonly #queries = new Map<string, GuardedQuery>();

  /** @param isTrusted whether the SQL may call all functions */
  get(sql: string, isTrusted: boolean): GuardedQuery | undefined {
    const key = keyOf(sql, isTrusted);
    const query = this.#queries.get(key);
    if (query === undefined) return undefined;
    this.#queries.delete(key);
    this.#queries.set(key, query);
    return query;
  }

  /** Keeps a query. A PIVOT without values is parsed each time, because its types are created for each query. */
  add(sql: string, isTrusted: boolean, query: GuardedQuery): void {
    if (sql.length > KEPT_LENGTH_MAX || query.pivots.length > 0) return;
    this.#queries.set(keyOf(sql, isTrusted), query);
    if (this.#queries.size > QUERIES_MAX) this.#queries.delete(this.#queries.keys().next().value!);
  }
}

/**
 * Whether the next run of the same SQL can use the prepared statement of this one, on the same connection: the query creates
 * nothing on the connection, and reads files only, so that DuckDB binds it again at each run.
 */
export function mayKeepStatement(
  { sql, bounds, pivots, hasListings, isExplained, typeChecks }: GuardedQuery,
  tables: readonly AnalyticsTable[],
): boolean {
  const isPlain = bounds.length === 0 && pivots.length === 0 && !hasListings && !isExplained;
  const isTyped = typeChecks.variant !== null || typeChecks.hasTypes;
  if (!isPlain || isTyped || sql.length > KEPT_LENGTH_MAX) return false;
  return tables.length > 0 && tables.every(({ accessMode }) => accessMode === "file");
}

function keyOf(sql: string, isTrusted: boolean): string {
  return `${isTrusted ? "trusted" : "guarded"} ${sql}`;
}
