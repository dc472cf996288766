import native from "@duckdb/node-bindings";

/** The number of statements that a connection keeps. Each may hold a file of its tables open. */
const STATEMENTS_MAX = 4;

/** The longest call of a quick statement, in milliseconds. */
const QUICK_MS = 50;

/** The most rows of a small result: a chunk of DuckDB. */
const SMALL_ROWS = 2048;

/** A prepared statement of a connection, with the time of its calls and the rows of its last run. */
export class KeptStatement {
  readonly native: native.PreparedStatement;
  #isQuick = false;
  #longestMs = Infinity;
  #rows = Infinity;

  constructor(statement: native.PreparedStatement) {
    this.native = statement;
  }

  /** Whether each call of the last complete run, and of this one so far, returned within `QUICK_MS`. */
  get isQuick(): boolean {
    return this.#isQuick;
  }

  /**
   * Runs the statement. A result that was small the last time is materialized, because each fetch from a streamed result wakes
   * a thread of the pool.
   */
  run(): Promise<native.Result> {
    this.#longestMs = 0;
    const isSmall = this.#isQuick && this.#rows <= SMALL_ROWS;
    return this.timed(() =>
      isSmall ? native.execute_prepared(this.native) : native.execute_prepared_streaming(this.native),
    );
  }

  /** Runs a call on the pool. */
  async timed<T>(call: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    try {
      return await call();
    } finally {
      this.#longestMs = Math.max(this.#longestMs, performance.now() - startedMs);
      if (this.#longestMs > QUICK_MS) this.#isQuick = false;
    }
  }

  /** Ends a run. @param rows the number of its rows */
  end(rows: number): void {
    this.#rows = rows;
    this.#isQuick = this.#longestMs <= QUICK_MS;
  }
}

/**
 * Prepared statements of one connection, by their SQL. DuckDB binds a new statement that reads files twice, when it is
 * prepared and when it runs, but a kept one only once, so it sees the current files.
 */
export class KeptStatements {
  readonly #statements = new Map<string, KeptStatement>();

  get(sql: string): KeptStatement | undefined {
    const statement = this.#statements.get(sql);
    if (statement === undefined) return undefined;
    this.#statements.delete(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  /** Keeps a statement, and destroys the longest unused one if there are too many. */
  add(sql: string, statement: native.PreparedStatement): void {
    this.#statements.set(sql, new KeptStatement(statement));
    if (this.#statements.size <= STATEMENTS_MAX) return;
    const [oldest] = this.#statements;
    this.#statements.delete(oldest![0]);
    native.destroy_prepare_sync(oldest![1].native);
  }

  /** Destroys all statements. */
  clear(): void {
    for (const statement of this.#statements.values()) native.destroy_prepare_sync(statement.native);
    this.#statements.clear();
  }
}
