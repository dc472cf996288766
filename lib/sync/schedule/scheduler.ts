import { join } from "node:path";

import { eachOf, isAgnesError, type Host, type Log } from "../../base/mod.ts";
import { acquireLock } from "../../duckdb/mod.ts";
import type { TableRegistry } from "../../tables/mod.ts";
import type { SyncState } from "../sync-state.ts";
import { dueNow, NextTimes, type ScheduledTable } from "./due.ts";

/** How often it looks for tables that are due. */
const TICK_MS = 30_000;

/** Work of the active scheduler besides syncs. */
export interface ScheduledJob {
  readonly name: string;
  /** Called every 30 seconds, unless it still runs. It decides whether there is something to do. */
  run(now: Date, signal: AbortSignal): Promise<void>;
}

/** What a scheduler works with. */
export interface SchedulerServices {
  readonly host: Host;
  readonly log: Log;
  /** The folder of the workspace. */
  readonly directory: string;
  /** The names of the configured sources. */
  readonly sources: readonly string[];
  /** How many sources run at once. */
  readonly sourcesAtOnce: number;
  tables(): Promise<Pick<TableRegistry, "list">>;
  state(): Promise<Pick<SyncState, "ofRegistered">>;
  /** The sources whose scheduled syncs wait, because a health check failed a short time ago. Default: none. */
  failing?(): Promise<ReadonlySet<string>>;
  /** Becomes the only scheduler of the workspace; null if another process is. See `takeLease`. */
  lease(): Promise<AsyncDisposable | null>;
  /** Default: none. */
  readonly jobs?: readonly ScheduledJob[];
  /** Syncs tables of a source, and resolves at the end of the run. @throws `source_running` */
  sync(source: string, tables: readonly string[], signal: AbortSignal): Promise<void>;
}

/**
 * `active`: it syncs what is due; `standby`: another process does; `failed`: it cannot find out what is due, and tries
 * again; `stopped`: it was closed, or never began.
 */
export type SchedulerState = "active" | "standby" | "failed" | "stopped";

/**
 * Syncs tables when they are due. Any number of processes can run one for the same workspace: one of them is active, and
 * another one takes over when its process ends.
 */
export class Scheduler implements AsyncDisposable {
  readonly #services: SchedulerServices;
  /** Stops the loop, and the syncs. */
  readonly #retired = new AbortController();
  readonly #closed = new AbortController();
  readonly #loop: Promise<void>;
  readonly #times = new NextTimes();
  readonly #syncing = new Map<string, Promise<void>>();
  readonly #jobs = new Map<ScheduledJob, Promise<void>>();
  #wake: () => void = () => {};
  #lease: AsyncDisposable | null = null;
  #hasFailed = false;

  constructor(services: SchedulerServices) {
    this.#services = services;
    this.#loop = this.#run();
  }

  get state(): SchedulerState {
    if (this.#retired.signal.aborted) return "stopped";
    if (this.#hasFailed) return "failed";
    return this.#lease === null ? "standby" : "active";
  }

  /** Lets another scheduler take over, without stopping the syncs that it began. */
  async retire(): Promise<void> {
    this.#retired.abort();
    await this.#loop;
    await this.#lease?.[Symbol.asyncDispose]();
    this.#lease = null;
  }

  /** Stops the syncs that it began, and lets another scheduler take over. */
  async close(): Promise<void> {
    this.#closed.abort();
    await this.retire();
    await Promise.all(this.#syncing.values());
    await Promise.all(this.#jobs.values());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #run(): Promise<void> {
    const { host, log } = this.#services;
    const { signal } = this.#retired;
    while (!signal.aborted) {
      const wake = new AbortController();
      this.#wake = () => wake.abort();
      try {
        this.#lease ??= await this.#services.lease();
        if (this.#lease !== null) {
          this.#startJobs();
          await this.#tick();
        }
        this.#hasFailed = false;
      } catch (error) {
        this.#hasFailed = true;
        log.error("the scheduler could not look for due tables", { error });
      }
      await host.sleep(TICK_MS, AbortSignal.any([signal, wake.signal])).catch(() => {});
    }
  }

  /** Begins the jobs that do not run. */
  #startJobs(): void {
    const { host, log, jobs = [] } = this.#services;
    const { signal } = this.#closed;
    for (const job of jobs) {
      if (this.#jobs.has(job)) continue;
      const running = job
        .run(host.now(), signal)
        .catch((error: unknown) => {
          if (!signal.aborted) log.error(`${job.name} failed`, { error });
        })
        .finally(() => this.#jobs.delete(job));
      this.#jobs.set(job, running);
    }
  }

  /** Begins the syncs of sources with due tables, as many as may run at once. */
  async #tick(): Promise<void> {
    const { host, directory, sourcesAtOnce } = this.#services;
    const due = dueNow(await this.#scheduled(), host.now(), {
      seed: directory,
      times: this.#times,
    });
    const failing = due.size === 0 ? null : await this.#failing();
    for (const [source, tables] of due) {
      if (this.#syncing.has(source) || failing?.has(source) === true) continue;
      if (this.#syncing.size >= sourcesAtOnce || this.#retired.signal.aborted) return;
      const syncing = this.#sync(source, tables).finally(() => {
        this.#syncing.delete(source);
        // Another source may wait for its turn.
        if (this.#syncing.size === sourcesAtOnce - 1) this.#wake();
      });
      this.#syncing.set(source, syncing);
    }
  }

  /** Unknown health holds back no sync, because the run checks the source itself. */
  async #failing(): Promise<ReadonlySet<string> | null> {
    try {
      return (await this.#services.failing?.()) ?? null;
    } catch (error) {
      this.#services.log.warn("the health of the sources cannot be read", { error });
      return null;
    }
  }

  async #scheduled(): Promise<readonly ScheduledTable[]> {
    const { sources } = this.#services;
    const [tables, state] = [await this.#services.tables(), await this.#services.state()];
    const records = (await tables.list()).filter(
      ({ source, queryMode, syncSchedule }) =>
        queryMode !== "remote" && syncSchedule !== null && sources.includes(source),
    );
    const names = [...new Set(records.map(({ source }) => source))];
    const found = await eachOf(names, 4, async (source) => {
      const own = records.filter((record) => record.source === source);
      const states = await state.ofRegistered(source, own);
      return own.map((record) => ({ record, state: states.get(record.name) }));
    });
    return found.flat();
  }

  async #sync(source: string, tables: readonly string[]): Promise<void> {
    try {
      await this.#services.sync(source, tables, this.#closed.signal);
    } catch (error) {
      // The tables stay due.
      if (isAgnesError(error, "source_running") || this.#closed.signal.aborted) return;
      this.#services.log.error("a scheduled sync failed", { source, error });
    }
  }
}

/**
 * Becomes the only scheduler of the workspace; null if another process is. The lease ends with the process.
 *
 * @param running the folder with the locks of runs
 */
export async function takeLease(host: Pick<Host, "files">, running: string): Promise<AsyncDisposable | null> {
  await host.files.makeDirectory(running);
  try {
    return await acquireLock(host.files, join(running, ".scheduler.lock"), "the schedule of the workspace");
  } catch (error) {
    if (isAgnesError(error, "locked")) return null;
    throw error;
  }
}
