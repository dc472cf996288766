import { AgnesError, processesOver, residentBytes, type Host, type Log } from "../../base/mod.ts";
import type { WorkerCounts } from "../queries.ts";
import type { Job } from "./job.ts";
import type { ToWorker } from "./protocol.ts";
import type { WorkerSettings } from "./settings.ts";
import type { WorkerFolders } from "./worker-folders.ts";
import { WorkerProcess } from "./worker-process.ts";

/** The time in which every query may use the worker that is kept for such queries. */
const YOUNG_MS = 250;

/** The age at which a query leaves that worker even if no other waits for it: it may be uninterruptible. */
const YOUNG_MS_MAX = 1000;

/** The time for which who had a query stopped does not get that worker. Who always sends more would otherwise hold it. */
const BARRED_MS = 30_000;

/** The age from which a query runs at a lower priority. */
const SLOW_MS = 500;

/** The interval of watching. A function of DuckDB was seen to add at most 52 MB in this time. */
const WATCH_MS = 25;

/** The time that a query has to leave a worker to others. */
const LEAVE_MS = 100;

/** After this many workers in a row that did not start, the queries that wait fail. */
const FAILED_STARTS_MAX = 3;

/** The services and settings of a pool. */
export interface PoolOptions {
  readonly host: Host;
  readonly log: Log;
  readonly settings: WorkerSettings;
  readonly folders: WorkerFolders;
  readonly open: Extract<ToWorker, { readonly type: "open" }>;
}

/**
 * The worker processes of one workspace. Each runs one query at a time. One is kept for queries in their first
 * milliseconds: a query that is still running then moves to another, from the start, as soon as it may keep that one.
 */
export class WorkerPool {
  readonly #options: PoolOptions;
  readonly #workers = new Set<WorkerProcess>();
  #starting = 0;
  #failedStarts = 0;
  /** The queries that wait, in the order in which they came. */
  #waiting: Job[] = [];
  /** When each principal last had a query stopped for others, by the monotonic clock. */
  readonly #stoppedMs = new Map<string | null, number>();
  #watch: ReturnType<typeof setInterval> | null = null;
  #isWatching = false;
  readonly #closing = new AbortController();
  /** The average duration of a query in a worker, in milliseconds. */
  #averageMs = 100;
  readonly #ending = new Set<Promise<void>>();
  /** The time for which each worker ran queries since its memory was read, in milliseconds. */
  readonly #unreadMs = new WeakMap<WorkerProcess, number>();

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#fill();
  }

  /** Runs a job as soon as a worker is free. @throws `queries_waiting`, `aborted` */
  submit(job: Job): void {
    if (this.#isClosed) throw new AgnesError("aborted", { what: "the query of a closed session" });
    const { waitingMax } = this.#options.settings;
    this.#waiting = this.#waiting.filter(({ isEnded }) => !isEnded);
    const waiting = this.#waiting.filter(({ principal }) => principal === job.principal).length;
    this.#waiting.push(job);
    this.#dispatch();
    if (job.principal === null || waiting < waitingMax || this.#waiting.at(-1) !== job) return;
    this.#waiting.pop();
    const retryAfterMs = Math.ceil((this.#averageMs * waiting) / this.#principalMax);
    throw new AgnesError("queries_waiting", { waiting, retryAfterMs });
  }

  /** What the workers do now. */
  counts(): WorkerCounts {
    return {
      running: this.#workers.size,
      busy: this.#busy.length,
      configured: this.#count,
      waiting: this.#waiting.filter(({ isEnded }) => !isEnded).length,
    };
  }

  /** Kills all workers and removes their files. */
  async close(): Promise<void> {
    this.#closing.abort();
    // Node would otherwise end a program whose last statement waits for this: the processes do not keep it alive.
    const alive = setInterval(() => {}, 1000);
    try {
      await this.#end();
    } finally {
      clearInterval(alive);
    }
  }

  async #end(): Promise<void> {
    const error = new AgnesError("aborted", { what: "the query of a closed session" });
    for (const job of this.#waiting.splice(0)) job.fail(error);
    const ended = Promise.all(
      [...this.#workers].map((worker) => {
        worker.kill(error);
        return worker.ended;
      }),
    );
    this.#stopWatch();
    await ended;
    await Promise.all(this.#ending);
    await this.#options.folders.close();
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  get #count(): number {
    return this.#options.settings.count;
  }

  /** The number of queries that may keep their workers. */
  get #longMax(): number {
    return Math.max(1, this.#count - 1);
  }

  get #principalMax(): number {
    return Math.max(1, Math.floor(this.#count / 2));
  }

  get #hasLongRoom(): boolean {
    return [...this.#workers].filter(({ held }) => held?.isLong === true).length < this.#longMax;
  }

  /** Starts workers until there are enough. */
  #fill(): void {
    while (!this.#isClosed && this.#workers.size + this.#starting < this.#count) {
      this.#starting += 1;
      const starting = this.#startWorker()
        .catch((error: unknown) => this.#startFailed(String(error)))
        .finally(() => this.#ending.delete(starting));
      this.#ending.add(starting);
    }
  }

  async #startWorker(): Promise<void> {
    const { folders, host, open, settings } = this.#options;
    try {
      if (this.#failedStarts > 0)
        await host.sleep(Math.min(5000, 100 * 2 ** this.#failedStarts), this.#closing.signal);
      const directory = await folders.newFolder();
      if (this.#isClosed) return;
      const worker = new WorkerProcess({
        command: settings.command,
        directory,
        open,
        graceMs: settings.graceMs,
        monotonicMs: () => host.monotonicMs(),
        onIdle: (ranMs) => this.#becameIdle(worker, ranMs),
        onSource: () => this.#keepForSource(worker),
        onEnd: () => this.#ended(worker),
      });
      this.#workers.add(worker);
    } finally {
      this.#starting -= 1;
    }
  }

  #becameIdle(worker: WorkerProcess, ranMs: number | null): void {
    this.#failedStarts = 0;
    if (ranMs !== null) {
      this.#averageMs += (ranMs - this.#averageMs) / 10;
      this.#endIfLarge(worker, ranMs);
    }
    this.#dispatch();
  }

  /** Ends an idle worker that keeps memory of its last query, which would count for the next one. */
  #endIfLarge(worker: WorkerProcess, ranMs: number): void {
    const unreadMs = (this.#unreadMs.get(worker) ?? 0) + ranMs;
    // In less time than between two looks, a worker gains little memory. To read it for each small query takes a twentieth of
    // the time of the server.
    if (unreadMs < WATCH_MS) return void this.#unreadMs.set(worker, unreadMs);
    this.#unreadMs.set(worker, 0);
    const sizes = residentBytes([worker.pid ?? 0]);
    // Where reading the memory takes time, the next query may have begun.
    if (!(sizes instanceof Map)) return;
    if ((sizes.get(worker.pid) ?? 0) > (this.#options.settings.memoryMb * 1_000_000) / 2) worker.kill();
  }

  #ended(worker: WorkerProcess): void {
    const { folders, log } = this.#options;
    this.#workers.delete(worker);
    const removing = folders.remove(worker.directory).finally(() => this.#ending.delete(removing));
    this.#ending.add(removing);
    if (this.#isClosed) return;
    log.debug("a worker process ended", { ...worker.end });
    if (!worker.wasReady) this.#startFailed(`${worker.end.reason} ${worker.end.errorText}`.trim());
    this.#fill();
    this.#dispatch();
  }

  #startFailed(reason: string): void {
    if (this.#isClosed) return;
    this.#failedStarts += 1;
    this.#options.log.warn("a worker process did not start", { reason });
    if (this.#failedStarts >= FAILED_STARTS_MAX && [...this.#workers].every(({ wasReady }) => !wasReady)) {
      for (const job of this.#waiting.splice(0)) job.fail(new AgnesError("worker_lost", { reason }));
    }
    this.#fill();
  }

  /** Gives waiting queries to idle workers. */
  #dispatch(): void {
    this.#waiting = this.#waiting.filter(({ isEnded }) => !isEnded);
    while (this.#waiting.length > 0) {
      const worker = [...this.#workers].find(({ isIdle }) => isIdle);
      const job = worker === undefined ? null : this.#nextJob();
      if (worker === undefined || job === null) break;
      this.#waiting.splice(this.#waiting.indexOf(job), 1);
      job.isLong = this.#hasLongRoom;
      worker.run(job);
    }
    if (this.#waiting.length > 0 || this.#busy.length > 0) this.#startWatch();
  }

  #heldBy(principal: string | null): number {
    if (principal === null) return 0;
    return [...this.#workers].filter(({ held }) => held?.principal === principal).length;
  }

  /** Returns the waiting query to run next: the first of the principal with the fewest workers. */
  #nextJob(): Job | null {
    const hasLongRoom = this.#hasLongRoom;
    const stopped = hasLongRoom ? new Set<string | null>() : this.#stopped();
    const counts = new Map<string | null, number>();
    let best: { readonly job: Job; readonly workers: number } | null = null;
    for (const job of this.#waiting) {
      const { principal } = job;
      // Who had a query stopped does not get the worker that is kept for others.
      if (!hasLongRoom && (job.wasStopped || job.needsLong || stopped.has(principal))) continue;
      const workers = counts.get(principal) ?? this.#heldBy(principal);
      counts.set(principal, workers);
      if (workers >= this.#principalMax) continue;
      if (best === null || workers < best.workers) best = { job, workers };
    }
    return best?.job ?? null;
  }

  /** The principals of whom a query was stopped for others, and waits or was stopped not long ago. */
  #stopped(): ReadonlySet<string | null> {
    const earliestMs = this.#options.host.monotonicMs() - BARRED_MS;
    for (const [principal, ms] of this.#stoppedMs) if (ms < earliestMs) this.#stoppedMs.delete(principal);
    const waiting = this.#waiting.filter(({ wasStopped }) => wasStopped);
    return new Set([...this.#stoppedMs.keys(), ...waiting.map(({ principal }) => principal)]);
  }

  get #busy(): readonly WorkerProcess[] {
    return [...this.#workers].filter(({ held }) => held !== null);
  }

  #startWatch(): void {
    this.#watch ??= setInterval(() => void this.#look(), WATCH_MS);
  }

  #stopWatch(): void {
    if (this.#watch !== null) clearInterval(this.#watch);
    this.#watch = null;
  }

  async #look(): Promise<void> {
    const busy = this.#busy;
    for (const worker of busy) this.#lookAtAge(worker);
    this.#waiting = this.#waiting.filter(({ isEnded }) => !isEnded);
    if (busy.length === 0 && this.#waiting.length === 0) return this.#stopWatch();
    if (this.#isWatching) return;
    this.#isWatching = true;
    try {
      await this.#lookAtMemory(busy);
    } finally {
      this.#isWatching = false;
    }
  }

  #lookAtAge(worker: WorkerProcess): void {
    const { running } = worker;
    if (running === null) return;
    if (running.ageMs >= SLOW_MS) worker.lowerPriority();
    const { job } = running;
    if (running.ageMs < YOUNG_MS || job.isLong) return;
    if (this.#hasLongRoom) return worker.keep();
    if (running.ageMs < YOUNG_MS_MAX && this.#nextJob() === null) return;
    this.#move(worker, job);
  }

  /** Lets a query run again in a worker that it may keep. */
  #move(worker: WorkerProcess, job: Job): void {
    worker.stop(LEAVE_MS);
    job.reset();
    if (job.wasStopped && job.principal !== null)
      this.#stoppedMs.set(job.principal, this.#options.host.monotonicMs());
    this.#waiting.unshift(job);
  }

  /** Lets a query that uses a source keep its worker; otherwise moves it before it does. */
  #keepForSource(worker: WorkerProcess): boolean {
    const { job } = worker.running!;
    if (this.#hasLongRoom) {
      worker.keep();
      return true;
    }
    job.needsLong = true;
    this.#move(worker, job);
    return false;
  }

  async #lookAtMemory(busy: readonly WorkerProcess[]): Promise<void> {
    const limitMb = this.#options.settings.memoryMb;
    const over = await processesOver(
      busy.flatMap(({ pid }) => pid ?? []),
      limitMb,
    );
    for (const worker of busy) {
      if (worker.held === null || !over.has(worker.pid ?? 0)) continue;
      worker.kill(new AgnesError("query_memory_exceeded", { limitMb }));
    }
  }
}
