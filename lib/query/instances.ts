import { AgnesError, atMost, Mutex, raceAbort } from "../base/mod.ts";
import { ATTACH_TIMEOUT_MS, tableId, type AnalyticsTable } from "../analytics/mod.ts";
import { poolGate, type Connection } from "../duckdb/mod.ts";
import { checkFolders } from "./check-folders.ts";
import type { GuardedQuery } from "./guard.ts";
import { leaseOf, readyOrReleased } from "./lease.ts";
import type { LiveResolver } from "../sources/mod.ts";
import type { Opening } from "./opening.ts";
import type { Lease } from "./run.ts";
import type { QueryServices } from "./query-services.ts";
import { Sandbox } from "./sandbox.ts";
import { SharedWork } from "./shared-work.ts";
import { TableNames } from "./tables.ts";

/** Selects the tables of a query from the accessible tables. */
export type Choice = (names: TableNames) => readonly AnalyticsTable[];

type Granted = ReadonlySet<string> | null;

/** The DuckDB instances of a session: the current one, retired ones, and those that are being opened. */
export class Instances {
  readonly #services: QueryServices;
  readonly #live: LiveResolver | null;
  readonly #path: string;
  readonly #attachTimeoutMs: number;
  #sandbox: Sandbox | null = null;
  /** Instances that wait for remote systems or files, each for one query. */
  readonly #opening = new Set<Sandbox>();
  /** Whether the current instance is unusable. */
  #isBroken = false;
  readonly #changes = new Mutex();
  readonly #stats = new SharedWork<string | null>();
  readonly #checks = new SharedWork<void>();
  #closed = false;

  constructor(
    services: QueryServices,
    path: string,
    live: LiveResolver | null,
    attachTimeoutMs: number = ATTACH_TIMEOUT_MS,
  ) {
    this.#attachTimeoutMs = attachTimeoutMs;
    this.#services = services;
    this.#path = path;
    this.#live = live;
  }

  /** Discards the current instance before the next query. */
  renewNext(): void {
    this.#isBroken = true;
  }

  /** Returns the accessible tables. @throws `analytics_unreadable` */
  async names(granted: Granted): Promise<TableNames> {
    return this.#exclusive(async () => namesOf(await this.#withAnalytics(), granted));
  }

  /** Runs work that needs a connection but no tables, such as parsing. */
  async parse<T>(work: (connection: Connection) => Promise<T>, signal: AbortSignal): Promise<T> {
    const { sandbox, connection } = await this.#exclusive(async () => {
      const any = await this.#any();
      return { sandbox: any, connection: await any.connect() };
    });
    connection.stopWith(signal);
    try {
      return await work(connection);
    } finally {
      await sandbox.release(connection);
    }
  }

  /** Leases a locked instance for a query that reads no table. */
  async leaseBare(signal: AbortSignal): Promise<Lease> {
    return this.#exclusive(async () => {
      const sandbox = await this.#any();
      await sandbox.lock();
      return leaseOf(sandbox, [], namesOf(sandbox, null), { log: this.#services.log, signal });
    });
  }

  /**
   * Leases a locked instance in which the chosen tables are open.
   * @param query the query, if it is the only one of the lease
   * @throws `table_unknown`, `table_vanished`, `extract_changed`, `remote_unavailable`, `timed_out`, `aborted`, `analytics_unreadable`
   */
  async lease(
    choose: Choice,
    granted: Granted,
    opening: Opening,
    query: GuardedQuery | null = null,
  ): Promise<Lease> {
    const { log } = this.#services;
    const { signal } = opening;
    for (;;) {
      poolGate.rejectWhenStuck("the query");
      const fingerprint = await this.#stats.run("", () => this.#fingerprint());
      const found = await this.#exclusive(async () => {
        const sandbox = await this.#withAnalytics(fingerprint);
        const names = namesOf(sandbox, granted);
        const tables = choose(names);
        if (!sandbox.serves(tables)) return { sandbox, tables, lease: null };
        await sandbox.lock();
        const lease = await leaseOf(sandbox, tables, names, { log, signal, query });
        return { sandbox, tables, lease };
      });
      const { sandbox, lease } = found;
      if (lease?.isCopied === true) return lease;
      const checking = () => this.#checkFolders(sandbox, found.tables, opening.signal);
      // Nothing of its tables is opened before the check.
      if (lease !== null) return readyOrReleased(lease, () => checking().then(() => lease));
      await checking();
      const taken = await this.#exclusive(async () => {
        const before = await this.#withAnalytics();
        if (before.fingerprint !== sandbox.fingerprint) return null;
        return { before, sandbox: before.locked ? null : this.#take() };
      });
      // If a new generation was published meanwhile, it is checked as well.
      if (taken !== null) return this.#open(taken.sandbox, taken.before, { choose, granted, opening });
    }
  }

  /** @throws `extract_changed`, `timed_out`, `aborted` */
  async #checkFolders(
    { state, fingerprint, lookups }: Sandbox,
    tables: readonly AnalyticsTable[],
    signal: AbortSignal,
  ): Promise<void> {
    const key = JSON.stringify([fingerprint, ...tables.map(tableId).sort()]);
    const check = () => checkFolders(lookups, state, tables);
    await raceAbort(this.#checks.run(key, check), signal, "the query");
  }

  /** Stops all queries and closes all instances. */
  async close(durationMs: number): Promise<void> {
    this.#closed = true;
    const closing = async () => {
      await this.#changes.idle();
      const all = [...this.#opening, ...(this.#sandbox === null ? [] : [this.#sandbox])];
      this.#sandbox = null;
      await Promise.all(all.map((sandbox) => sandbox.close()));
    };
    await atMost(closing(), durationMs);
  }

  /**
   * Opens tables in an instance that no other query uses, because this may wait for remote systems and files. Afterwards
   * the queries of the session share the instance.
   */
  async #open(
    taken: Sandbox | null,
    before: Sandbox,
    {
      choose,
      granted,
      opening,
    }: { readonly choose: Choice; readonly granted: Granted; readonly opening: Opening },
  ): Promise<Lease> {
    const sandbox = taken ?? (await Sandbox.open(this.#services, this.#live));
    this.#opening.add(sandbox);
    try {
      if (taken === null) await this.#attachAnalytics(sandbox);
      const names = namesOf(sandbox, granted);
      const tables = choose(names);
      await raceAbort(checkFolders(sandbox.lookups, sandbox.state, tables), opening.signal, "the query");
      await sandbox.openTables(tables, { timeoutMs: this.#attachTimeoutMs, ...opening });
      if (taken === null) await sandbox.reopen(before, opening.signal);
      await sandbox.lock();
      return await this.#exclusive(async () => {
        await this.#replaceBy(sandbox);
        return leaseOf(sandbox, tables, names, { log: this.#services.log, signal: opening.signal });
      });
    } catch (error) {
      await this.#putBack(sandbox);
      throw error;
    } finally {
      this.#opening.delete(sandbox);
    }
  }

  #take(): Sandbox {
    const sandbox = this.#sandbox!;
    this.#sandbox = null;
    return sandbox;
  }

  /** Keeps an instance in which a table could not be opened, for other queries. */
  async #putBack(sandbox: Sandbox): Promise<void> {
    try {
      await this.#exclusive(async () => {
        if (sandbox.isStuck) await sandbox.retire();
        else if (this.#sandbox === null) this.#sandbox = sandbox;
        else if (this.#sandbox !== sandbox) await sandbox.retire();
      });
    } catch {
      // The session was closed meanwhile and has closed the instance.
    }
  }

  /**
   * Returns the instance of the published generation, or an instance without tables if nothing is published.
   *
   * @param known the fingerprint of the file when the query had already started
   */
  async #withAnalytics(known?: string | null): Promise<Sandbox> {
    const current = await this.#any();
    if (known !== undefined && current.fingerprint === known) return current;
    const fingerprint = await this.#fingerprint();
    if (current.fingerprint === fingerprint) return current;
    const sandbox = current.locked || current.fingerprint !== null ? await this.#renew() : current;
    if (fingerprint === null) return sandbox;
    try {
      await sandbox.attachAnalytics(this.#path, fingerprint);
      return sandbox;
    } catch (error) {
      await this.#renew();
      throw error;
    }
  }

  async #attachAnalytics(sandbox: Sandbox): Promise<void> {
    const fingerprint = await this.#fingerprint();
    if (fingerprint !== null) await sandbox.attachAnalytics(this.#path, fingerprint);
  }

  /** Returns a text that changes when `analytics.duckdb` is replaced; null if there is no file. */
  async #fingerprint(): Promise<string | null> {
    const { lookups = this.#services.host.files } = this.#sandbox ?? {};
    const stat = await lookups.stat(this.#path);
    return stat === null ? null : `${stat.sizeBytes} ${stat.modifiedAtMs}`;
  }

  async #any(): Promise<Sandbox> {
    if (this.#isBroken) {
      this.#isBroken = false;
      await this.#discard();
    }
    return (this.#sandbox ??= await Sandbox.open(this.#services, this.#live));
  }

  /** Returns a new instance; the previous one closes with its last query. */
  async #renew(): Promise<Sandbox> {
    await this.#discard();
    return this.#any();
  }

  async #replaceBy(sandbox: Sandbox): Promise<void> {
    const before = this.#sandbox;
    this.#sandbox = sandbox;
    await before?.retire();
  }

  async #discard(): Promise<void> {
    const before = this.#sandbox;
    this.#sandbox = null;
    await before?.retire();
  }

  async #exclusive<T>(work: () => Promise<T>): Promise<T> {
    poolGate.rejectWhenStuck("the query");
    return this.#changes.run(async () => {
      if (this.#closed) throw new AgnesError("aborted", { what: "the query of a closed session" });
      return work();
    });
  }
}

/** The names of all tables by the tables of a generation: to collect them takes longer than a small query. */
const allNames = new WeakMap<readonly AnalyticsTable[], TableNames>();

function namesOf({ state }: Sandbox, granted: Granted): TableNames {
  const tables = state?.tables ?? [];
  const known = granted === null ? allNames.get(tables) : undefined;
  if (known !== undefined) return known;
  const names = new TableNames(tables, granted);
  if (granted === null) allNames.set(tables, names);
  return names;
}
