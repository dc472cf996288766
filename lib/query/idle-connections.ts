import type { Connection } from "../duckdb/mod.ts";

/** The number of connections that wait for a query. */
const IDLE_MAX = 16;

/** The time after which unused connections are closed: their statements hold files open, also of replaced generations. */
const IDLE_MS = 2_000;

/** Connections of one open instance, which closes them too, that ended their queries in a clean state, for the next queries. */
export class IdleConnections {
  #connections: Connection[] = [];
  #wasUsed = false;
  #timer: ReturnType<typeof setInterval> | null = null;

  /** Returns the connection that was used last, which probably has kept the statement; undefined if there is none. */
  take(): Connection | undefined {
    this.#wasUsed = true;
    return this.#connections.pop();
  }

  /** Keeps a connection for the next query. @returns whether it is kept */
  add(connection: Connection): boolean {
    if (!connection.isReusable || this.#connections.length >= IDLE_MAX) return false;
    this.#connections.push(connection);
    this.#timer ??= this.#start();
    return true;
  }

  async #close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    await Promise.all(this.#connections.splice(0).map((connection) => connection.close()));
  }

  #start(): ReturnType<typeof setInterval> {
    const timer = setInterval(() => {
      if (!this.#wasUsed) return void this.#close();
      this.#wasUsed = false;
    }, IDLE_MS);
    timer.unref();
    return timer;
  }
}
