import { machineLimits } from "../base/mod.ts";
import type { AnalyticsTable } from "../analytics/mod.ts";
import type { Connection, DuckDBLimits } from "../duckdb/mod.ts";

/** The rows of one row group, which DuckDB scans with one thread. */
const SMALL_ROWS = 122_880;

/** Whether DuckDB needs one thread only to read the tables. */
export function areSmall(tables: readonly AnalyticsTable[]): boolean {
  return tables.every(({ accessMode, rows }) => accessMode === "file" && rows !== null && rows <= SMALL_ROWS);
}

/** The number of small queries after which the instance has one thread again: a change takes as long as one of them. */
const SMALL_QUERIES_MIN = 8;

/**
 * The threads of an instance. DuckDB's own threads compete with that of the pool for the few tasks of a small query, which
 * takes longer than the tasks. Without them, the statements of JavaScript sources do not run.
 */
export class Threads {
  readonly #max: number;
  #now: number;
  /** The number of small queries since the last other one. */
  #smallQueries = SMALL_QUERIES_MIN;

  constructor({ threads = machineLimits().cores }: DuckDBLimits) {
    // That of the pool is one of them, because it is an external one.
    this.#max = threads + 1;
    this.#now = this.#max;
  }

  /** The settings with which the instance opens. */
  get settings(): Readonly<Record<string, string>> {
    return { external_threads: "1", threads: String(this.#max) };
  }

  /** Excepts the number from the lock of the settings. */
  async except(connection: Connection): Promise<void> {
    await connection.run("SET allowed_configs = ['threads']");
  }

  /**
   * Chooses the number for the next query.
   *
   * @param query.isAlone whether no other query and no attach runs: the end of a thread waits for the task that it runs
   */
  async use(
    connection: Connection,
    query: { readonly isSmall: boolean; readonly isAlone: boolean },
  ): Promise<void> {
    this.#smallQueries = query.isSmall ? this.#smallQueries + 1 : 0;
    const mayShrink = query.isAlone && this.#smallQueries >= SMALL_QUERIES_MIN;
    if (!query.isSmall) await this.#set(connection, this.#max);
    else if (mayShrink) await this.#set(connection, 1);
  }

  async #set(connection: Connection, count: number): Promise<void> {
    if (this.#now === count) return;
    await connection.run(`SET threads = ${count}`);
    this.#now = count;
  }
}
