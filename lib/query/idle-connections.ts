import type { Connection } from "../duckdb/mod.ts";

/** The number of connections that wait for a query. To open one takes as long as a small query. */
const IDLE_MAX = 64;

/** The time after which unused connections are closed: their statements hold files open, also of replaced generations. */
const IDLE_MS = 2_000;

/** Connections of one open instance, which closes them too, that ended their queries in a clean state, for the next queries. */
export class IdleConnections {
  /** The last is the one that was used last. */
  readonly #connections: Connection[] = [];
  /** The number of connections that no query has used since the last tick. */
  #unused = 0;
  #timer: ReturnType<typeof setInterval> | null = null;

  /** Returns the connection that was used last, which probably has kept the statement; undefined if there is none. */
  take(): Connection | undefined {
    const connection = this.#connections.pop();
    this.#unused = Math.min(this.#unused, this.#connections.length);
    return connection;
  }

  /** Keeps a connection for the next query. @returns whether it is kept */
  add(connection: Connection): boolean {
    if (!connection.isReusable || this.#connections.length >= IDLE_MAX) return false;
    this.#connections.push(connection);
    this.#timer ??= this.#start();
    return true;
  }

  async #closeUnused(): Promise<void> {
    const unused = this.#connections.splice(0, this.#unused);
    this.#unused = this.#connections.length;
    if (this.#unused === 0 && this.#timer !== null) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
    await Promise.all(unused.map((connection) => connection.close()));
  }

  #start(): ReturnType<typeof setInterval> {
    const timer = setInterval(() => void this.#closeUnused(), IDLE_MS);
    timer.unref();
    return timer;
  }
}
