import { quoteIdentifier, type Connection, type Database } from "../duckdb/mod.ts";
import { IdleConnections } from "./idle-connections.ts";

/** The connections of one open instance, by their current database; null: that with which they open. */
export class Connections {
  readonly #database: Database;
  readonly #idle = new Map<string | null, IdleConnections>();
  readonly #names = new WeakMap<Connection, string | null>();

  constructor(database: Database) {
    this.#database = database;
  }

  /** Returns a clean connection whose current database is `name`. */
  async take(name: string | null): Promise<Connection> {
    const idle = this.#idle.get(name)?.take();
    if (idle !== undefined) return idle;
    const connection = await this.#database.connect();
    if (name !== null) await connection.run(`USE ${quoteIdentifier(name)}`);
    connection.markReusable();
    this.#names.set(connection, name);
    return connection;
  }

  /** Keeps a connection for the next query. @returns whether it is kept */
  keep(connection: Connection): boolean {
    const name = this.#names.get(connection) ?? null;
    const idle = this.#idle.get(name) ?? new IdleConnections();
    this.#idle.set(name, idle);
    return idle.add(connection);
  }
}
