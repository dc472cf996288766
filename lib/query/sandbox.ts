import { join } from "node:path";

import { AgnesError, isAgnesError, messageOf, type Host, type Log } from "../base/mod.ts";
import {
  attachFailure,
  attachRemote,
  databaseNames,
  digestObjects,
  readAnalyticsState,
  refusalOf,
  tableId,
  type AnalyticsState,
  type AnalyticsTable,
} from "../analytics/mod.ts";
import {
  openDatabase,
  openStream,
  quoteIdentifier,
  quoteLiteral,
  type Connection,
  type Database,
  type DuckDBLimits,
  type StreamSource,
} from "../duckdb/mod.ts";

/** What a session works with. */
export interface QueryServices {
  readonly host: Host;
  readonly log: Log;
  readonly limits: DuckDBLimits;
}

/** Gives the rows of a remote table through the connector of its source; null when the connector cannot. */
export type LiveResolver = (table: {
  readonly source: string;
  readonly name: string;
}) => Promise<StreamSource | null>;

/**
 * One DuckDB instance that SQL of users runs in. First it attaches, read-only, what its queries need; then it is
 * locked: no file but the parts of the extracts can be opened any more, nothing attached, installed, loaded or set.
 *
 * What must be attached for a later query takes another instance.
 */
export class Sandbox {
  readonly #services: QueryServices;
  readonly #database: Database;
  readonly #connection: Connection;
  readonly #live: LiveResolver | null;
  readonly #ways = new Map<string, RemoteWay>();
  readonly #attached = new Set<string>();
  #locked = false;
  #users = 0;
  #retired = false;
  /** What `analytics.duckdb` said when it was attached; null before. */
  state: AnalyticsState | null = null;
  /** Tells one published file from the next; null while none is attached. */
  fingerprint: string | null = null;

  private constructor(
    services: QueryServices,
    database: Database,
    connection: Connection,
    live: LiveResolver | null,
  ) {
    this.#services = services;
    this.#database = database;
    this.#connection = connection;
    this.#live = live;
  }

  static async open(services: QueryServices, live: LiveResolver | null): Promise<Sandbox> {
    // Rows come as they lie, so that the same query shows the same rows first.
    const database = await openDatabase({
      limits: services.limits,
      settings: {
        preserve_insertion_order: "true",
        // DuckDB plans nested expressions in time that grows with the cube of the depth, and no interrupt ends that.
        max_expression_depth: "250",
      },
    });
    try {
      return new Sandbox(services, database, await database.connect(), live);
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  get locked(): boolean {
    return this.#locked;
  }

  /** @throws `analytics_unreadable` */
  async attachAnalytics(path: string, fingerprint: string): Promise<void> {
    const { analytics, session } = databaseNames;
    try {
      await this.#connection.run(
        `ATTACH ${quoteLiteral(path)} AS ${quoteIdentifier(analytics)} (READ_ONLY);
         ATTACH ':memory:' AS ${quoteIdentifier(session)};`,
      );
      this.state = await readAnalyticsState(this.#connection, analytics);
    } catch (error) {
      throw new AgnesError("analytics_unreadable", { path, reason: messageOf(error) }, { cause: error });
    }
    if (this.state === null) {
      throw new AgnesError("analytics_unreadable", { path, reason: "another version of Agnes wrote it" });
    }
    this.fingerprint = fingerprint;
  }

  /** Whether tables can be read as things are. */
  serves(tables: readonly AnalyticsTable[]): boolean {
    return tables.every((table) => table.way === "file" || this.#ways.has(tableId(table)));
  }

  /** Opens the way to tables that are not files. @throws `remote_unavailable` */
  async openTables(tables: readonly AnalyticsTable[]): Promise<void> {
    for (const table of tables) {
      const id = tableId(table);
      if (table.way === "file" || this.#ways.has(id)) continue;
      if (table.way === "attached") {
        await this.#attachExtract(table);
        await this.#show(table, table.definition);
        this.#ways.set(id, "attach");
      } else {
        this.#ways.set(id, await this.#openRemote(table));
      }
    }
  }

  /** Ids of the tables the way to which is open. */
  openedIds(): ReadonlySet<string> {
    return new Set(this.#ways.keys());
  }

  /** Opens what an instance before had open, as far as that still can be. */
  async reopen(ids: ReadonlySet<string>): Promise<void> {
    for (const table of this.state?.tables ?? []) {
      if (!ids.has(tableId(table))) continue;
      try {
        await this.openTables([table]);
      } catch (error) {
        if (!isAgnesError(error)) throw error;
        this.#services.log.debug("a table cannot be opened again", {
          table: tableId(table),
          reason: error.message,
        });
      }
    }
  }

  /** Which way a remote table goes, once it is open. */
  wayOf(table: AnalyticsTable): RemoteWay | null {
    return table.way === "remote" ? (this.#ways.get(tableId(table)) ?? null) : null;
  }

  /** From here on nothing can be attached, and no file be read but parts. */
  async lock(): Promise<void> {
    if (this.#locked) return;
    const folders = (this.state?.sources ?? []).map(({ source, directory }) =>
      this.state!.tables.some((table) => table.source === source && table.generation === null)
        ? directory
        : join(directory, "data"),
    );
    await this.#connection.run(
      `SET allowed_directories = [${folders.map(quoteLiteral).join(", ")}];
       SET enable_external_access = false;
       SET lock_configuration = true;`,
    );
    this.#locked = true;
  }

  /** A connection of one query's own; the sandbox stays open until all are given back. */
  async connect(): Promise<Connection> {
    this.#users += 1;
    try {
      const connection = await this.#database.connect();
      if (this.state !== null) await connection.run(`USE ${quoteIdentifier(databaseNames.analytics)}`);
      return connection;
    } catch (error) {
      await this.#leave();
      throw error;
    }
  }

  async release(connection: Connection): Promise<void> {
    await connection.close();
    await this.#leave();
  }

  /** Closes as soon as no query uses it. */
  async retire(): Promise<void> {
    this.#retired = true;
    if (this.#users === 0) await this.#database.close();
  }

  /** Closes now; what still runs is stopped. */
  async close(): Promise<void> {
    this.#retired = true;
    await this.#database.close();
  }

  async #leave(): Promise<void> {
    this.#users -= 1;
    if (this.#retired && this.#users === 0) await this.#database.close();
  }

  /** @throws `extract_changed` when the file defines something else than what was checked */
  async #attachExtract(table: AnalyticsTable): Promise<void> {
    const { source } = table;
    const name = databaseNames.extract(source);
    if (this.#attached.has(name)) return;
    const { directory, digest } = this.state!.sources.find((known) => known.source === source)!;
    const path = quoteLiteral(join(directory, "extract.duckdb"));
    await this.#connection.run(`ATTACH ${path} AS ${quoteIdentifier(name)} (READ_ONLY)`);
    if ((await digestObjects(this.#connection, name)) !== digest) {
      await this.#connection.run(`DETACH ${quoteIdentifier(name)}`);
      throw new AgnesError("extract_changed", { table: tableId(table) });
    }
    this.#attached.add(name);
  }

  async #openRemote(table: AnalyticsTable): Promise<RemoteWay> {
    const reason = await this.#attachRemote(table);
    if (reason === null) {
      await this.#show(table, table.definition);
      return "attach";
    }
    const live = (await this.#live?.(table)) ?? null;
    if (live === null) {
      throw new AgnesError("remote_unavailable", {
        table: tableId(table),
        reason: `${reason}; and its connector cannot be asked instead`,
      });
    }
    this.#services.log.debug("a remote table is read through its connector", {
      table: tableId(table),
      reason,
    });
    await this.#show(table, `SELECT * FROM ${openStream(this.#database, live).relation}`);
    return "live";
  }

  /** Why not, or null when the database is attached. */
  async #attachRemote({ source, remote }: AnalyticsTable): Promise<string | null> {
    const databases = this.state!.sources.find((known) => known.source === source)?.remotes ?? [];
    const database = databases.find(({ alias }) => alias === remote?.alias);
    if (database === undefined) return "the extract names no database for it";
    const { env } = this.#services.host;
    const refusal = database.refusal ?? refusalOf(env, database);
    if (refusal !== null) return refusal;
    const name = databaseNames.remote(source, database.alias);
    if (this.#attached.has(name)) return null;
    if (this.#locked) return "nothing is attached to a running session";
    try {
      await attachRemote(this.#connection, env, source, database, { install: false });
      this.#attached.add(name);
      return null;
    } catch (error) {
      return attachFailure(env, database, error);
    }
  }

  async #show(table: AnalyticsTable, select: string): Promise<void> {
    const schema = `${quoteIdentifier(databaseNames.session)}.${quoteIdentifier(table.source)}`;
    await this.#connection.run(
      `CREATE SCHEMA IF NOT EXISTS ${schema};
       CREATE OR REPLACE VIEW ${schema}.${quoteIdentifier(table.name)} AS ${select};`,
    );
  }
}

/** How the rows of a remote table come. */
export type RemoteWay = "attach" | "live";
