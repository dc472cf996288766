import native from "@duckdb/node-bindings";

/** The number of statements that a connection keeps. Each may hold a file of its tables open. */
const STATEMENTS_MAX = 4;

/**
 * Prepared statements of one connection, by their SQL. DuckDB binds a new statement that reads files twice, when it is
 * prepared and when it runs, but a kept one only once, so it sees the current files.
 */
export class KeptStatements {
  readonly #statements = new Map<string, native.PreparedStatement>();

  get(sql: string): native.PreparedStatement | undefined {
    const statement = this.#statements.get(sql);
    if (statement === undefined) return undefined;
    this.#statements.delete(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  /** Keeps a statement, and destroys the longest unused one if there are too many. */
  add(sql: string, statement: native.PreparedStatement): void {
    this.#statements.set(sql, statement);
    if (this.#statements.size <= STATEMENTS_MAX) return;
    const [oldest] = this.#statements;
    this.#statements.delete(oldest![0]);
    native.destroy_prepare_sync(oldest![1]);
  }

  /** Destroys all statements. */
  clear(): void {
    for (const statement of this.#statements.values()) native.destroy_prepare_sync(statement);
    this.#statements.clear();
  }
}
