import {
  AgnesError,
  isAgnesError,
  messageOf,
  raceAbort,
  throwIfAborted,
  withDeadline,
  type Host,
  type Log,
} from "../base/mod.ts";
import {
  ATTACH_TIMEOUT_MS,
  attachFailure,
  attachRemote,
  attachWithin,
  databaseNames,
  readAnalyticsState,
  attachSettings,
  refusalOf,
  secretValues,
  tableId,
  type AnalyticsState,
  type AnalyticsTable,
  type NamedExtension,
  type RemoteDatabase,
} from "../analytics/mod.ts";
import {
  openDatabase,
  quoteIdentifier,
  quoteLiteral,
  restrictTo,
  type Connection,
  type Database,
  type DuckDBLimits,
  type StatementOptions,
} from "../duckdb/mod.ts";
import { attachExtract } from "./attach-extract.ts";
import { foldersOf } from "./check-folders.ts";
import type { LiveResolver, LiveTable } from "../sources/mod.ts";
import type { QueryDatabase } from "./live/query-database.ts";
import { REOPEN_TIMEOUT_MS, type Opening, type RemoteAccessMode } from "./opening.ts";

/** What a session works with. */
export interface QueryServices {
  readonly host: Host;
  readonly log: Log;
  readonly limits: DuckDBLimits;
  /** The DuckDB extensions that loaded plugins name. Default: none. */
  readonly extensions?: readonly NamedExtension[];
}

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
  readonly #accessModes = new Map<string, RemoteAccessMode>();
  readonly #attached = new Set<string>();
  readonly #secrets = new Set<string>();
  /** Why tables are live, and what their connectors give, by id. */
  readonly #liveReasons = new Map<string, string>();
  readonly #liveTables = new Map<string, Promise<LiveTable | null>>();
  readonly #queryDatabases = new Map<Connection, QueryDatabase>();
  #queries = 0;
  /** How many databases are being attached now. */
  #attaching = 0;
  #isAttachingExtract = false;
  #locked = false;
  #users = 0;
  #retired = false;
  #closed = false;
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
        ...attachSettings(services.extensions ?? []),
        preserve_insertion_order: "true",
        // DuckDB plans nested expressions in time that grows with the cube of the depth, and no interrupt ends that.
        max_expression_depth: "250",
        pivot_limit: "10000",
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
      throw new AgnesError("analytics_unreadable", {
        path,
        reason: "it was written by another version of Agnes",
      });
    }
    this.fingerprint = fingerprint;
  }

  /** Whether tables can be read as things are. */
  serves(tables: readonly AnalyticsTable[]): boolean {
    return tables.every((table) => table.accessMode === "file" || this.#accessModes.has(tableId(table)));
  }

  /** Whether an attach that nobody waits for any more has not ended. */
  get isStuck(): boolean {
    return this.#isAttachingExtract;
  }

  /** Opens the way to tables that are not files. @throws `remote_unavailable`, `timed_out`, `aborted` */
  async openTables(tables: readonly AnalyticsTable[], opening: Opening): Promise<void> {
    for (const table of tables) {
      const id = tableId(table);
      if (table.accessMode === "file" || this.#accessModes.has(id)) continue;
      if (table.accessMode === "attached") {
        await this.#attachExtract(table, opening);
        await this.#show(table, table.definition);
        this.#accessModes.set(id, "attach");
      } else {
        opening.onWait(id);
        this.#accessModes.set(id, await this.#openRemote(table, opening));
        opening.onWait(null);
      }
    }
  }

  /** Opens what an instance before had open, as far as that still can be in a short time. */
  async reopen(before: Sandbox, signal: AbortSignal): Promise<void> {
    const isSame = before.fingerprint === this.fingerprint;
    for (const table of this.state?.tables ?? []) {
      const id = tableId(table);
      const accessMode = before.#accessModes.get(id);
      if (accessMode === undefined || this.#accessModes.has(id)) continue;
      const asked = before.#liveTables.get(id);
      if (accessMode === "live" && isSame && asked !== undefined) {
        this.#liveTables.set(id, asked);
        this.#liveReasons.set(id, before.#liveReasons.get(id)!);
        this.#accessModes.set(id, accessMode);
        continue;
      }
      try {
        await this.openTables([table], { signal, timeoutMs: REOPEN_TIMEOUT_MS, onWait: () => {} });
      } catch (error) {
        throwIfAborted(signal, "the query");
        if (!isAgnesError(error) || this.isStuck) throw error;
        this.#services.log.debug("a table could not be reopened", {
          table: tableId(table),
          reason: error.message,
        });
      }
    }
  }

  /** The values that no message may show. */
  get secrets(): ReadonlySet<string> {
    return this.#secrets;
  }

  /** Which way a remote table goes, once it is open. */
  wayOf(table: AnalyticsTable): RemoteAccessMode | null {
    return table.accessMode === "remote" ? (this.#accessModes.get(tableId(table)) ?? null) : null;
  }

  /** Those of some tables that are read through their connectors, by id. @throws `remote_unavailable` */
  async liveTables(tables: readonly AnalyticsTable[]): Promise<ReadonlyMap<string, LiveTable>> {
    const live = tables.filter((table) => this.wayOf(table) === "live");
    return new Map(
      await Promise.all(live.map(async (table) => [tableId(table), await this.#liveTable(table)] as const)),
    );
  }

  /** What the connector of a table gives; null when it cannot. */
  #askLive(table: AnalyticsTable): Promise<LiveTable | null> {
    const id = tableId(table);
    const asked = this.#liveTables.get(id) ?? (async () => (await this.#live?.(table)) ?? null)();
    this.#liveTables.set(id, asked);
    // A source that could not be reached may be reached the next time.
    return asked.catch((error: unknown) => {
      this.#liveTables.delete(id);
      throw error;
    });
  }

  async #liveTable(table: AnalyticsTable): Promise<LiveTable> {
    const id = tableId(table);
    const found = await this.#askLive(table);
    if (found !== null) return found;
    const reason = `${this.#liveReasons.get(id)}; its connector cannot read it either`;
    throw new AgnesError("remote_unavailable", { table: id, reason });
  }

  /** A name that the database of one query can have. */
  newQueryName(): string {
    this.#queries += 1;
    return databaseNames.query(this.#queries);
  }

  /** Fills the database of a query, which goes with its connection. */
  async showLive(connection: Connection, database: QueryDatabase): Promise<void> {
    this.#queryDatabases.set(connection, database);
    await database.fill();
  }

  /** From here on nothing can be attached, and no file be read but parts. */
  async lock(): Promise<void> {
    if (this.#locked) return;
    await this.#connection.run(restrictTo({ directories: foldersOf(this.state) }));
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
    await this.#dropQueryDatabase(connection);
    await this.#leave();
  }

  async #dropQueryDatabase(connection: Connection): Promise<void> {
    const database = this.#queryDatabases.get(connection);
    if (database === undefined) return;
    this.#queryDatabases.delete(connection);
    database.close();
    if (!this.#closed)
      await this.#connection.run(`DETACH DATABASE IF EXISTS ${quoteIdentifier(database.name)}`);
  }

  /** Closes as soon as no query uses it. */
  async retire(): Promise<void> {
    this.#retired = true;
    await this.#closeWhenLeft();
  }

  /** Closes now; what still runs is stopped. */
  async close(): Promise<void> {
    this.#retired = true;
    this.#closed = true;
    await this.#database.close();
  }

  async #leave(): Promise<void> {
    this.#users -= 1;
    await this.#closeWhenLeft();
  }

  async #closeWhenLeft(): Promise<void> {
    if (!this.#retired || this.#users > 0) return;
    const closing = this.#database.close();
    // Closing waits for an attach that cannot be interrupted; nobody else does.
    if (this.#attaching === 0) await closing;
    else closing.catch(() => {});
  }

  /** @throws `extract_changed`, `timed_out`, `aborted` */
  async #attachExtract(table: AnalyticsTable, opening: Opening): Promise<void> {
    const name = databaseNames.extract(table.source);
    if (this.#attached.has(name)) return;
    const what = `attaching the extract of table ${tableId(table)}`;
    const limits = { timeoutMs: opening.timeoutMs ?? ATTACH_TIMEOUT_MS, signal: opening.signal };
    await withDeadline(what, limits, async (signal) => {
      this.#attaching += 1;
      this.#isAttachingExtract = true;
      try {
        await attachExtract(this.#services.host.files, this.#connection, this.state!, table, signal);
      } finally {
        this.#attaching -= 1;
        this.#isAttachingExtract = false;
      }
    });
    this.#attached.add(name);
  }

  async #openRemote(table: AnalyticsTable, opening: Opening): Promise<RemoteAccessMode> {
    const known = this.#databaseOf(table)?.refusal ?? null;
    const first = known ?? (await this.#showAttached(table, opening));
    if (first === null) return "attach";
    this.#liveReasons.set(tableId(table), first);
    // What kept a rebuild from attaching it may have passed.
    const isLive =
      known === null || (await raceAbort(this.#askLive(table), opening.signal, "the query")) !== null;
    if (!isLive && (await this.#showAttached(table, opening)) === null) return "attach";
    this.#services.log.debug("a remote table is read through its connector", {
      table: tableId(table),
      reason: first,
    });
    return "live";
  }

  #databaseOf({ source, remote }: AnalyticsTable): RemoteDatabase | undefined {
    const databases = this.state!.sources.find((known) => known.source === source)?.remotes ?? [];
    return databases.find(({ alias }) => alias === remote?.alias);
  }

  /** Shows a table of an attached database; gives the reason when that cannot be. */
  async #showAttached(table: AnalyticsTable, { signal, timeoutMs }: Opening): Promise<string | null> {
    const database = this.#databaseOf(table);
    if (database === undefined) return "the extract declares no database for it";
    const { env } = this.#services.host;
    const refusal = refusalOf(env, database);
    if (refusal !== null) return database.refusal ?? refusal;
    const name = databaseNames.remote(table.source, database.alias);
    if (this.#locked && !this.#attached.has(name)) return "a database cannot be attached to a session in use";
    for (const value of secretValues(env, database)) this.#secrets.add(value);
    try {
      const what = `attaching the database of table ${tableId(table)}`;
      await attachWithin(what, { timeoutMs: timeoutMs ?? ATTACH_TIMEOUT_MS, signal }, (stop) =>
        this.#attachOn(table, database, name, stop),
      );
      return null;
    } catch (error) {
      throwIfAborted(signal, "the query");
      return attachFailure(env, database, error);
    }
  }

  /** On a connection of its own: it may never return, and the others go on. */
  async #attachOn(
    table: AnalyticsTable,
    database: RemoteDatabase,
    name: string,
    signal: AbortSignal,
  ): Promise<void> {
    this.#attaching += 1;
    try {
      await using connection = await this.#database.connect();
      if (!this.#attached.has(name)) {
        const { env } = this.#services.host;
        await attachRemote(connection, env, table.source, database, { install: false, signal });
        this.#attached.add(name);
      }
      await this.#show(table, table.definition, { on: connection, signal, mayWait: true });
    } finally {
      this.#attaching -= 1;
    }
  }

  async #show(
    table: AnalyticsTable,
    select: string,
    { on = this.#connection, ...options }: StatementOptions & { readonly on?: Connection } = {},
  ): Promise<void> {
    const schema = `${quoteIdentifier(databaseNames.session)}.${quoteIdentifier(table.source)}`;
    await on.run(
      `CREATE SCHEMA IF NOT EXISTS ${schema};
       CREATE OR REPLACE VIEW ${schema}.${quoteIdentifier(table.name)} AS ${select};`,
      options,
    );
  }
}
