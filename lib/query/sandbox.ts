import {
  AgnesError,
  isAgnesError,
  messageOf,
  quickLookups,
  raceAbort,
  throwIfAborted,
  withDeadline,
  type Files,
} from "../base/mod.ts";
import {
  ATTACH_TIMEOUT_MS,
  attachFailure,
  attachRemote,
  attachWithTimeout,
  databaseNames,
  OTHER_FORMAT_REASON,
  readAnalyticsState,
  attachSettings,
  refusalOf,
  secretValues,
  tableId,
  type AnalyticsState,
  type AnalyticsTable,
  type RemoteDatabase,
} from "../analytics/mod.ts";
import {
  openDatabase,
  quoteIdentifier,
  quoteLiteral,
  restrictTo,
  type Connection,
  type Database,
} from "../duckdb/mod.ts";
import { attachExtract } from "./attach-extract.ts";
import { foldersOf } from "./check-folders.ts";
import type { LiveResolver, LiveTable } from "../sources/mod.ts";
import type { QueryDatabase } from "./live/query-database.ts";
import type { QueryServices } from "./query-services.ts";
import { Connections } from "./connections.ts";
import { REOPEN_TIMEOUT_MS, type Opening, type RemoteAccessMode } from "./opening.ts";
import { createSessionView } from "./session-view.ts";
import { TableCopies } from "./table-copies.ts";
import { Threads } from "./threads.ts";

/**
 * A DuckDB instance that runs the SQL of users. First it attaches the databases of its queries, read-only. Then it is
 * locked: it can only open the parts of extracts, and cannot attach, install, load or set anything. A later query that
 * needs another database gets a new instance.
 */
export class Sandbox {
  readonly #services: QueryServices;
  readonly #database: Database;
  readonly #connection: Connection;
  readonly #live: LiveResolver | null;
  readonly #accessModes = new Map<string, RemoteAccessMode>();
  readonly #attached = new Set<string>();
  readonly #secrets = new Set<string>();
  /** The reasons why tables are live, and their connectors' tables, by id. */
  readonly #liveReasons = new Map<string, string>();
  readonly #liveTables = new Map<string, Promise<LiveTable | null>>();
  readonly #queryDatabases = new Map<Connection, QueryDatabase>();
  readonly #connections: Connections;
  readonly #threads: Threads;
  #queries = 0;
  /** The number of databases that are being attached. */
  #attaching = 0;
  #isAttachingExtract = false;
  #locked = false;
  #users = 0;
  #retired = false;
  #closed = false;
  readonly copies: TableCopies;
  /** The state of `analytics.duckdb` when it was attached; null before. */
  state: AnalyticsState | null = null;
  /** The file system for the checks of each query. */
  lookups: Files;
  /** Identifies the attached `analytics.duckdb`; null if none is attached. */
  fingerprint: string | null = null;

  private constructor(
    services: QueryServices,
    database: Database,
    connection: Connection,
    live: LiveResolver | null,
    threads: Threads,
  ) {
    this.#services = services;
    this.lookups = services.host.files;
    this.#threads = threads;
    this.#database = database;
    this.#connections = new Connections(database);
    this.copies = new TableCopies(connection, services.log);
    this.#connection = connection;
    this.#live = live;
  }

  static async open(services: QueryServices, live: LiveResolver | null): Promise<Sandbox> {
    const threads = new Threads(services.limits);
    // Rows keep their order, so that the same query returns the same first rows.
    const database = await openDatabase({
      files: services.host.files,
      limits: services.limits,
      settings: {
        ...attachSettings(services.extensions ?? []),
        preserve_insertion_order: "true",
        // DuckDB needs cubic time in the depth to plan nested expressions, and cannot be interrupted meanwhile.
        max_expression_depth: "250",
        pivot_limit: "10000",
        ...threads.settings,
      },
    });
    try {
      return new Sandbox(services, database, await database.connect(), live, threads);
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
    const { analytics, copies, session } = databaseNames;
    try {
      await this.#connection.run(
        `ATTACH ${quoteLiteral(path)} AS ${quoteIdentifier(analytics)} (READ_ONLY);
         ATTACH ':memory:' AS ${quoteIdentifier(session)};
         ATTACH ':memory:' AS ${quoteIdentifier(copies)};`,
      );
      this.state = await readAnalyticsState(this.#connection, analytics);
    } catch (error) {
      throw new AgnesError("analytics_unreadable", { path, reason: messageOf(error) }, { cause: error });
    }
    if (this.state === null) {
      throw new AgnesError("analytics_unreadable", { path, reason: OTHER_FORMAT_REASON });
    }
    this.lookups = await quickLookups(this.#services.host.files, [path, ...foldersOf(this.state)]);
    this.fingerprint = fingerprint;
  }

  /** Whether this instance can read tables without opening more of them. */
  serves(tables: readonly AnalyticsTable[]): boolean {
    return tables.every((table) => table.accessMode === "file" || this.#accessModes.has(tableId(table)));
  }

  /** Whether an abandoned attach of an extract is still running. */
  get isStuck(): boolean {
    return this.#isAttachingExtract;
  }

  /** Opens tables that are not files. @throws `remote_unavailable`, `table_vanished`, `timed_out`, `aborted` */
  async openTables(tables: readonly AnalyticsTable[], opening: Opening): Promise<void> {
    for (const table of tables) {
      const id = tableId(table);
      if (table.accessMode === "file" || this.#accessModes.has(id)) continue;
      if (table.accessMode === "attached") {
        await this.#attachExtract(table, opening);
        await createSessionView(this.#connection, table);
        this.#accessModes.set(id, "attach");
      } else {
        opening.onWait(id);
        this.#accessModes.set(id, await this.#openRemote(table, opening));
        opening.onWait(null);
      }
    }
  }

  /** Reopens the tables of the previous instance, as far as this is possible in a short time. */
  async reopen(before: Sandbox, signal: AbortSignal): Promise<void> {
    const isSame = before.fingerprint === this.fingerprint;
    for (const table of this.state?.tables ?? []) {
      const id = tableId(table);
      const accessMode = before.#accessModes.get(id);
      if (accessMode === undefined || this.#accessModes.has(id)) continue;
      const resolved = before.#liveTables.get(id);
      if (accessMode === "live" && isSame && resolved !== undefined) {
        this.#liveTables.set(id, resolved);
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

  /** Values to remove from all messages. */
  get secrets(): ReadonlySet<string> {
    return this.#secrets;
  }

  /** Returns the access to a remote table; null if it is not open. */
  accessModeOf(table: AnalyticsTable): RemoteAccessMode | null {
    return table.accessMode === "remote" ? (this.#accessModes.get(tableId(table)) ?? null) : null;
  }

  /** Returns the tables that are read through their connectors, by id. @throws `remote_unavailable`, `table_vanished` */
  async liveTables(tables: readonly AnalyticsTable[]): Promise<ReadonlyMap<string, LiveTable>> {
    const live = tables.filter((table) => this.accessModeOf(table) === "live");
    return new Map(
      await Promise.all(live.map(async (table) => [tableId(table), await this.#liveTable(table)] as const)),
    );
  }

  /** Resolves a table through its connector; null if that is not possible. */
  #resolveLive(table: AnalyticsTable): Promise<LiveTable | null> {
    const id = tableId(table);
    const resolving = this.#liveTables.get(id) ?? (async () => (await this.#live?.(table)) ?? null)();
    this.#liveTables.set(id, resolving);
    // Failures are not kept: an unreachable source may be reachable the next time.
    return resolving.catch((error: unknown) => {
      this.#liveTables.delete(id);
      throw error;
    });
  }

  async #liveTable(table: AnalyticsTable): Promise<LiveTable> {
    const id = tableId(table);
    const found = await this.#resolveLive(table);
    if (found !== null) return found;
    const reason = `${this.#liveReasons.get(id)}; its connector cannot read it either`;
    throw new AgnesError("remote_unavailable", { table: id, reason });
  }

  /** Returns an unused name for the database of a query. */
  newQueryName(): string {
    this.#queries += 1;
    return databaseNames.query(this.#queries);
  }

  /** Fills the database of a query. It is dropped when the connection is released. */
  async prepareLive(connection: Connection, database: QueryDatabase): Promise<void> {
    this.#queryDatabases.set(connection, database);
    await database.fill();
  }

  /** Locks the instance: afterwards it cannot attach databases, and can only read parts. */
  async lock(): Promise<void> {
    if (this.#locked) return;
    await this.#threads.except(this.#connection);
    await this.#connection.run(restrictTo({ directories: foldersOf(this.state) }));
    this.#locked = true;
  }

  /** Chooses the number of threads before the next query gets its connection. One may run an abandoned attach. */
  async useThreads(isSmall: boolean): Promise<void> {
    await this.#threads.use(this.#connection, { isSmall, isAlone: this.#users + this.#attaching === 0 });
  }

  /** Returns a clean connection to a database for one query. The instance stays open until all connections are released. */
  async connect(name: string = databaseNames.analytics): Promise<Connection> {
    this.#users += 1;
    try {
      return await this.#connections.take(this.state === null ? null : name);
    } catch (error) {
      await this.#leave();
      throw error;
    }
  }

  /** Takes a connection back, and keeps it for another query if this one has left nothing behind. */
  async release(connection: Connection, { isStopped = false } = {}): Promise<void> {
    const mayKeep = !isStopped && !this.#retired && !this.#queryDatabases.has(connection);
    if (!mayKeep || !this.#connections.keep(connection)) {
      await connection.close();
      await this.#dropQueryDatabase(connection);
    }
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

  /** Closes when no query uses the instance. */
  async retire(): Promise<void> {
    this.#retired = true;
    await this.#closeWhenLeft();
  }

  /** Closes immediately and stops running queries. */
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
    // Closing waits for an uninterruptible attach, so the caller does not wait for it.
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
    // The reason why a rebuild could not attach it may no longer apply.
    const isLive =
      known === null || (await raceAbort(this.#resolveLive(table), opening.signal, "the query")) !== null;
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

  /** Attaches the database of a table and creates its view; returns the reason if that fails, otherwise null. */
  async #showAttached(table: AnalyticsTable, { signal, timeoutMs }: Opening): Promise<string | null> {
    const database = this.#databaseOf(table);
    if (database === undefined) return "the extract declares no database for it";
    const { env } = this.#services.host;
    const refusal = this.#services.attachRefusal ?? refusalOf(env, database);
    if (refusal !== null) return database.refusal ?? refusal;
    const name = databaseNames.remote(table.source, database.alias);
    if (this.#locked && !this.#attached.has(name)) return "a database cannot be attached to a session in use";
    for (const value of secretValues(env, database)) this.#secrets.add(value);
    try {
      const what = `attaching the database of table ${tableId(table)}`;
      await attachWithTimeout(what, { timeoutMs: timeoutMs ?? ATTACH_TIMEOUT_MS, signal }, (stop) =>
        this.#attachOn(table, database, name, stop),
      );
      return null;
    } catch (error) {
      throwIfAborted(signal, "the query");
      return attachFailure(env, database, error);
    }
  }

  /** Attaches on a separate connection, because the call may never return. */
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
      await createSessionView(connection, table, { signal, mayWait: true });
    } finally {
      this.#attaching -= 1;
    }
  }
}
