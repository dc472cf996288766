import { AgnesError, eachOf, throwIfAborted } from "../base/mod.ts";
import type { CatalogStorage } from "../catalog/mod.ts";
import { unknownSource, type SourceServices } from "../sources/mod.ts";
import type { MetadataFreshness, RegisteredTable, TableRegistry } from "../tables/mod.ts";
import { dataPaths } from "../workspace/mod.ts";
import {
  ALL,
  alreadyRunning,
  newFlight,
  removeLock,
  runningElsewhere,
  takeFlight,
  type Flight,
} from "./flight.ts";
import type { MetadataSettings } from "./settings.ts";
import { SourceCalls } from "./source-calls.ts";
import { MetadataStore } from "./store.ts";
import { failureOf, freshnessOf, type Fetched, type Outcome, type TableRow } from "./stored.ts";
import type {
  MetadataFailure,
  MetadataRefresh,
  MetadataStatus,
  RefreshCounts,
  TableMetadataStatus,
  TableRefresh,
} from "./types.ts";

/** The services of a metadata cache. */
export interface MetadataServices extends SourceServices {
  readonly storage: () => CatalogStorage;
  readonly tables: () => Promise<TableRegistry>;
  readonly settings: MetadataSettings;
}

/** A table of the catalog. */
interface ListedTable {
  readonly id: string;
  readonly mode: string;
  readonly rows: number | null;
  readonly sizeBytes: number | null;
}

/** What the cache adds to a table of the catalog; null for tables that are not remote. */
interface CachedFacts {
  readonly freshness: MetadataFreshness | null;
  readonly metadataAt: string | null;
}

/** The result of a request for one table, not stored yet. */
interface Requested extends Outcome {
  readonly fetchMs: number;
}

/** The stored result of a request for one table. */
interface Refreshed {
  readonly fetched: Fetched;
  readonly row: TableRow;
  readonly fetchMs: number;
}

/** A refresh that this process began. */
interface Begun {
  readonly flight: Flight;
  /** The lock among all processes; fails if another process has it. */
  readonly lock: Promise<AsyncDisposable>;
}

/** The result of a table in a refresh of all, without its metadata. */
interface RefreshedOfAll {
  readonly status: Fetched["status"];
  readonly failure?: MetadataFailure;
}

/** Metadata of the remote tables of a workspace, requested from their sources by refreshes only. */
export class MetadataCache {
  readonly #services: MetadataServices;
  readonly #directory: string;
  readonly #closed = new AbortController();
  #store: Promise<MetadataStore> | undefined;
  /** The refresh of all tables in this process. */
  #running: Begun | undefined;
  /** The refreshes of single tables in this process, by key. A refresh of all tables uses their results. */
  readonly #single = new Map<string, Begun & { readonly result: Promise<Refreshed> }>();
  readonly #work = new Set<Promise<unknown>>();

  constructor(services: MetadataServices) {
    this.#services = services;
    this.#directory = dataPaths.metadata(services.workspace.dataDirectory);
  }

  /** See `Metadata.refresh`. */
  refresh(options: { readonly signal?: AbortSignal } = {}): Promise<MetadataRefresh> {
    if (this.#running !== undefined) return failAfter(this.#running);
    // Before the first await, so that two calls cannot both pass.
    const flight = newFlight(this.#services.host, ALL);
    const begun = { flight, lock: this.#lock(flight) };
    this.#running = begun;
    return this.#tracked(
      this.#refreshAll(begun, options.signal).finally(() => {
        this.#running = undefined;
      }),
    );
  }

  /** See `Metadata.refreshTable`. */
  refreshTable(table: string, options: { readonly signal?: AbortSignal } = {}): Promise<TableRefresh> {
    return this.#tracked(this.#refreshSingle(table, options.signal));
  }

  /** See `Metadata.status`. */
  async status(): Promise<MetadataStatus> {
    const { host, settings } = this.#services;
    const [store, records] = await Promise.all([this.#open(), this.#remoteTables()]);
    const [rows, lastRun] = await Promise.all([store.rows(records), store.run(ALL)]);
    const now = host.now();
    const tables = records.map((record) => this.#statusOf(record, rows.get(record.id) ?? null, now));
    return {
      intervalSeconds: settings.intervalSeconds,
      freshSeconds: settings.freshSeconds,
      at: now.toISOString(),
      lastRun: lastRun && {
        runId: lastRun.runId,
        startedAt: lastRun.startedAt,
        finishedAt: lastRun.finishedAt,
        counts: lastRun.counts,
      },
      tables,
    };
  }

  /** Returns entries of the catalog with the cached rows, size and freshness of those that are remote tables. */
  async withFacts<E extends ListedTable>(entries: readonly E[]): Promise<readonly (E & CachedFacts)[]> {
    const hasRemote = entries.some(({ mode }) => mode === "remote");
    const known = new Map(hasRemote ? (await this.status()).tables.map((one) => [one.table, one]) : []);
    return entries.map((entry) => {
      const cached = known.get(entry.id);
      return {
        ...entry,
        rows: cached === undefined ? entry.rows : (cached.metadata?.rows ?? null),
        sizeBytes: cached === undefined ? entry.sizeBytes : (cached.metadata?.sizeBytes ?? null),
        freshness: cached?.freshness ?? null,
        metadataAt: cached?.refreshedAt ?? null,
      };
    });
  }

  /** Changes with each change of the cache. */
  async version(): Promise<number> {
    return (await this.#open()).version();
  }

  /** Removes what is cached of an unregistered table. */
  async forget(id: string): Promise<void> {
    await (await this.#open()).forget(id);
    await removeLock({ host: this.#services.host, directory: this.#directory }, id);
  }

  /** Stops the refreshes and closes the cache. Idempotent. */
  async close(): Promise<void> {
    this.#closed.abort(new AgnesError("aborted", { what: "a refresh of metadata" }));
    await Promise.allSettled(this.#work);
    await (await this.#store?.catch(() => undefined))?.close();
  }

  async #refreshAll({ flight, lock }: Begun, signal: AbortSignal | undefined): Promise<MetadataRefresh> {
    const { host } = this.#services;
    const startMs = host.monotonicMs();
    await using _lock = await lock;
    const store = await this.#open();
    let counts: RefreshCounts | null = null;
    try {
      const all = await this.#remoteTables();
      await store.keepOnly(all);
      const records = all.filter((record) => this.#canRefresh(record) !== false);
      const results = await this.#requestAll(store, records, this.#stop(signal));
      const count = (status: Fetched["status"]) =>
        results.filter((result) => result.status === status).length;
      counts = {
        total: results.length,
        succeeded: count("ok"),
        noData: count("no_data"),
        failed: count("error"),
        durationMs: Math.round(host.monotonicMs() - startMs),
      };
      const failures = results.flatMap(({ failure }) => failure ?? []);
      const { runId, startedAt } = flight;
      return { runId, startedAt, ...counts, failures };
    } finally {
      const finishedAt = host.now().toISOString();
      await this.#warned(store.writeRun({ kind: "run", ...flight, finishedAt, counts }));
    }
  }

  async #requestAll(
    store: MetadataStore,
    records: readonly RegisteredTable[],
    signal: AbortSignal,
  ): Promise<readonly RefreshedOfAll[]> {
    await using calls = new SourceCalls(this.#services, signal);
    // The disk does not delay the next request. A failed write ends the refresh.
    const writes: Promise<unknown>[] = [];
    const disk = { failures: [] as unknown[] };
    let results: readonly RefreshedOfAll[];
    try {
      results = await eachOf(records, this.#services.settings.concurrency, async (record) => {
        if (disk.failures.length > 0) throw disk.failures[0];
        const shared = await this.#single.get(keyOf(record))?.result.catch(() => null);
        if (shared != null) return resultOf(record, shared.fetched);
        const requested = await this.#request(calls, record);
        writes.push(this.#write(store, requested).catch((error: unknown) => disk.failures.push(error)));
        return resultOf(record, requested.fetched);
      });
    } finally {
      await Promise.all(writes);
    }
    if (disk.failures.length > 0) throw disk.failures[0];
    return results;
  }

  async #refreshSingle(table: string, signal: AbortSignal | undefined): Promise<TableRefresh> {
    const { host } = this.#services;
    const startMs = host.monotonicMs();
    const record = await (await this.#services.tables()).find(table);
    this.#checkCached(record);
    const key = keyOf(record);
    // From here to `set`, nothing is awaited.
    const other = this.#running ?? this.#single.get(key);
    if (other !== undefined) return failAfter(other);
    const flight = newFlight(host, key);
    const begun = { flight, lock: this.#lockSingle(flight) };
    const result = this.#requestSingle(record, begun, signal).finally(() => this.#single.delete(key));
    this.#single.set(key, { ...begun, result });
    const { fetched, row, fetchMs } = await result;
    return {
      table: record.id,
      runId: flight.runId,
      status: fetched.status,
      error: fetched.status === "error" ? failureOf(fetched.error) : null,
      metadata: row.metadata,
      fetchMs,
      totalMs: Math.round(host.monotonicMs() - startMs),
    };
  }

  async #requestSingle(
    record: RegisteredTable,
    { flight, lock }: Begun,
    signal: AbortSignal | undefined,
  ): Promise<Refreshed> {
    await using _lock = await lock;
    const store = await this.#open();
    try {
      await using calls = new SourceCalls(this.#services, this.#stop(signal));
      const requested = await this.#request(calls, record);
      const { fetched, fetchMs } = requested;
      return { fetched, fetchMs, row: await this.#write(store, requested) };
    } finally {
      await this.#warned(store.removeRun(flight.key));
    }
  }

  async #lock(flight: Flight): Promise<AsyncDisposable> {
    return takeFlight(this.#flightServices(await this.#open()), flight);
  }

  /** @throws also `already_running` with the refresh of all tables in another process */
  async #lockSingle(flight: Flight): Promise<AsyncDisposable> {
    const services = this.#flightServices(await this.#open());
    const lock = await takeFlight(services, flight);
    try {
      const all = await runningElsewhere(services);
      // A refresh of all tables in this process that began after this one waits for it.
      if (all === null || all.runId === this.#running?.flight.runId) return lock;
      throw alreadyRunning(all);
    } catch (error) {
      await this.#warned(services.store.removeRun(flight.key));
      await lock[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #request(calls: SourceCalls, record: RegisteredTable): Promise<Requested> {
    const { host } = this.#services;
    const at = host.now().toISOString();
    const startMs = host.monotonicMs();
    const fetched = await calls.fetch(record);
    return { record, at, fetched, fetchMs: Math.round(host.monotonicMs() - startMs) };
  }

  async #write(store: MetadataStore, outcome: Outcome): Promise<TableRow> {
    const row = await store.write(outcome);
    // It may have been unregistered during the request, which removed the row before it was written.
    const { id } = outcome.record;
    if ((await (await this.#services.tables()).get(id)) === null) await store.forget(id);
    return row;
  }

  #statusOf(record: RegisteredTable, row: TableRow | null, now: Date): TableMetadataStatus {
    return {
      table: record.id,
      viewName: record.viewName,
      source: record.source,
      canRefresh: this.#canRefresh(record) === true,
      freshness: freshnessOf(row, now, this.#services.settings.freshSeconds),
      refreshedAt: row?.refreshedAt ?? null,
      noDataAt: row?.noDataAt ?? null,
      lastError: row?.error ?? null,
      metadata: row?.metadata ?? null,
    };
  }

  /** Whether the plugin of a table reports metadata; null: unknown, because it is not loaded or the source not configured. */
  #canRefresh({ source }: RegisteredTable): boolean | null {
    const { workspace, plugins } = this.#services;
    const { sources } = workspace.config;
    if (!Object.hasOwn(sources, source)) return null;
    const plugin = plugins.list().find(({ name }) => name === sources[source]!.plugin);
    return plugin?.capabilities.includes("metadata") ?? null;
  }

  /** @throws `metadata_not_cached`, `source_unknown` */
  #checkCached(record: RegisteredTable): void {
    const { id, source, queryMode } = record;
    const { sources } = this.#services.workspace.config;
    if (queryMode !== "remote")
      throw new AgnesError("metadata_not_cached", {
        table: id,
        reason: `its mode is ${queryMode}, not remote`,
      });
    if (!Object.hasOwn(sources, source)) throw unknownSource(source, Object.keys(sources));
    if (this.#canRefresh(record) !== false) return;
    const reason = `the plugin ${sources[source]!.plugin} of source ${source} reports no metadata`;
    throw new AgnesError("metadata_not_cached", { table: id, reason });
  }

  async #remoteTables(): Promise<readonly RegisteredTable[]> {
    return (await this.#services.tables()).list({ queryMode: "remote" });
  }

  /** A signal of the caller, which also aborts when the cache is closed. */
  #stop(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closed.signal : AbortSignal.any([signal, this.#closed.signal]);
  }

  #flightServices(store: MetadataStore) {
    return { host: this.#services.host, directory: this.#directory, store };
  }

  /** A record of a run that is not written is corrected by the next run, so the result of this one counts. */
  async #warned(write: Promise<void>): Promise<void> {
    await write.catch((error: unknown) =>
      this.#services.log.warn("the end of a refresh of metadata was not recorded", { error }),
    );
  }

  #tracked<T>(work: Promise<T>): Promise<T> {
    this.#work.add(work);
    work.catch(() => {}).finally(() => this.#work.delete(work));
    return work;
  }

  async #open(): Promise<MetadataStore> {
    throwIfAborted(this.#closed.signal, "a refresh of metadata");
    if (this.#store === undefined) {
      const { host, log, settings, storage } = this.#services;
      for (const problem of settings.problems) log.warn(problem);
      this.#store = MetadataStore.open({ storage: storage(), host, log });
      // The next call may succeed.
      this.#store.catch(() => {
        this.#store = undefined;
      });
    }
    return this.#store;
  }
}

function resultOf({ id }: RegisteredTable, fetched: Fetched): RefreshedOfAll {
  const { status } = fetched;
  return status === "error" ? { status, failure: { table: id, ...failureOf(fetched.error) } } : { status };
}

/** Fails with a refresh of this process, or with that of another process if that is why this one fails. */
async function failAfter({ flight, lock }: Begun): Promise<never> {
  await lock;
  throw alreadyRunning(flight);
}

function keyOf({ id }: RegisteredTable): string {
  return id.toLowerCase();
}
