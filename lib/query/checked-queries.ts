import { randomUUID } from "node:crypto";

import type { Connection } from "../duckdb/mod.ts";
import { guardQuery, type GuardedQuery } from "./guard.ts";
import { parseSelect, type Entered } from "./parse-select.ts";
import type { ParamLiterals } from "./params/literals.ts";
import { parametersOf, withMarks, withValues } from "./params/place-params.ts";
import { KEPT_LENGTH_MAX, RecentQueries } from "./recent-queries.ts";
import { trustedQuery } from "./trusted-query.ts";

/** Runs work on a connection that can only parse. */
type Parse = <T>(work: (connection: Connection) => Promise<T>, signal: AbortSignal) => Promise<T>;

/** SQL to check and run. */
interface ReadySql {
  readonly sql: string;
  /** The SQL as entered, if it is not `sql`. */
  readonly entered?: Entered;
}

const PLACED_MAX = 200;

/** Parses and checks queries, and puts values in place of their parameters. */
export class CheckedQueries {
  readonly #parse: Parse;
  readonly #recent = new RecentQueries();
  /** SQL whose parameters are known to be at the places of values; the last is that of the latest query. */
  readonly #placeable = new Set<string>();

  constructor(parse: Parse) {
    this.#parse = parse;
  }

  /** Parses and checks SQL. @throws the errors of `guardQuery` */
  async check({ sql, entered }: ReadySql, isTrusted: boolean, signal: AbortSignal): Promise<GuardedQuery> {
    // A query has places in the SQL as entered, which another caller must not see.
    const key = entered === undefined ? sql : `${entered.typed}\0${sql}`;
    const recent = this.#recent.get(key, isTrusted);
    if (recent !== undefined) return recent;
    const check = isTrusted ? trustedQuery : guardQuery;
    const query = await this.#parse((connection) => check(connection, sql, entered), signal);
    this.#recent.add(key, isTrusted, query);
    return query;
  }

  /**
   * Puts values in place of the parameters of SQL.
   * @param literals the values; null: the SQL has no parameters
   * @throws `parameters_invalid`, `sql_malformed`, `sql_not_allowed`, `sql_too_long`
   */
  async withValues(
    sql: string,
    literals: ParamLiterals | null | undefined,
    signal: AbortSignal,
  ): Promise<ReadySql> {
    if (literals == null) return { sql };
    const parameters = parametersOf(sql);
    const placed = withValues(sql, parameters, literals);
    if (parameters.length === 0) return { sql };
    if (!this.#placeable.has(sql)) {
      const marked = withMarks(sql, parameters, `${randomUUID()}.`);
      const parse = (connection: Connection) => parseSelect(connection, marked.sql, marked);
      const { tree, pivots } = await this.#parse(parse, signal);
      marked.check([tree, ...pivots.map((pivot) => pivot.tree)]);
    }
    this.#keep(sql);
    return { sql: placed.sql, entered: placed };
  }

  #keep(sql: string): void {
    if (sql.length > KEPT_LENGTH_MAX) return;
    // The latest is the last to be removed.
    this.#placeable.delete(sql);
    this.#placeable.add(sql);
    if (this.#placeable.size > PLACED_MAX) this.#placeable.delete(this.#placeable.values().next().value!);
  }
}
