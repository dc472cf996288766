import { availableParallelism } from "node:os";

import { abortError, afterAbort, AgnesError } from "../base/mod.ts";

/** How long others wait for a call that does not stop after its abort. DuckDB cannot interrupt a single call. */
const LOST_MS = 1_000;

interface GateOptions {
  /** How long work may hold its place after its abort before it counts as lost. Default: one second. */
  readonly lostMs?: number;
  /** The number of lost calls at which the gate rejects new work. Default: no limit. */
  readonly lostMax?: number;
  /** Returns the error for rejected work. Default: `duckdb_stuck`. */
  readonly stuck?: StuckError;
}

/** @param attaches how many of the calls wait for a remote system */
type StuckError = (what: string, calls: number, attaches: number) => Error;

const stuckError: StuckError = (what, calls, attaches) =>
  new AgnesError("duckdb_stuck", { what, calls, ...(attaches > 0 && { attaches }) });

/** An entry of the waiting queue. */
interface Waiting {
  readonly admit: () => void;
  /** Missing if the entry waits without limit. */
  readonly reject?: () => void;
}

/** Limits concurrent work, in order of arrival. */
export class Gate {
  readonly capacity: number;
  readonly #lostMs: number;
  readonly #lostMax: number;
  readonly #stuck: StuckError;
  #inside = 0;
  /** The number of calls that could not be stopped and hold their threads. */
  #lost = 0;
  /** The number of lost calls that had already left their place. */
  #lostOutside = 0;
  readonly #waiting: Waiting[] = [];

  constructor(
    capacity: number,
    { lostMs = LOST_MS, lostMax = Infinity, stuck = stuckError }: GateOptions = {},
  ) {
    this.capacity = capacity;
    this.#lostMs = lostMs;
    this.#lostMax = lostMax;
    this.#stuck = stuck;
  }

  /** Rejects work that would wait for threads of lost calls. @throws `duckdb_stuck` */
  rejectWhenStuck(what: string): void {
    if (this.#lost >= this.#lostMax) throw this.#stuck(what, this.#lost, this.#lostOutside);
  }

  async #enter(signal: AbortSignal | undefined, what: string, waitsAlways: boolean): Promise<void> {
    if (signal?.aborted === true) throw abortError(signal, what);
    if (!waitsAlways) this.rejectWhenStuck(what);
    if (this.#hasRoom) {
      this.#inside += 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const unlisten = () => signal?.removeEventListener("abort", cancel);
      const rejectStuck = () => {
        unlisten();
        reject(this.#stuck(what, this.#lost, this.#lostOutside));
      };
      const waiting: Waiting = {
        admit: () => {
          unlisten();
          resolve();
        },
        ...(waitsAlways ? {} : { reject: rejectStuck }),
      };
      const cancel = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(abortError(signal!, what));
      };
      this.#waiting.push(waiting);
      signal?.addEventListener("abort", cancel, { once: true });
    });
  }

  /** Whether there is room. Lost calls reduce the capacity, but one place always remains; it may use the reserved thread. */
  get #hasRoom(): boolean {
    return this.#inside < Math.max(1, this.capacity - this.#lost);
  }

  #leave(): void {
    this.#inside -= 1;
    this.#admit();
  }

  #admit(): void {
    while (this.#waiting.length > 0 && this.#hasRoom) {
      this.#inside += 1;
      this.#waiting.shift()!.admit();
    }
  }

  #lose(isInside: boolean): void {
    if (isInside) this.#inside -= 1;
    else this.#lostOutside += 1;
    this.#lost += 1;
    if (this.#lost < this.#lostMax) return this.#admit();
    const rejected = this.#waiting.filter(({ reject }) => reject !== undefined);
    for (const one of rejected) this.#waiting.splice(this.#waiting.indexOf(one), 1);
    for (const { reject } of rejected) reject!();
    this.#admit();
  }

  #recover(wasInside: boolean): void {
    if (!wasInside) this.#lostOutside -= 1;
    this.#lost -= 1;
    this.#admit();
  }

  /** Creates a place, which can be acquired and released repeatedly. */
  place(what: string): Place {
    let state: "outside" | "inside" | "away" | "lost inside" | "lost away" = "outside";
    let forget = () => {};
    const release = () => {
      forget();
      const before = state;
      state = "outside";
      if (before === "inside") this.#leave();
      else if (before === "lost inside" || before === "lost away") this.#recover(before === "lost inside");
    };
    return {
      release,
      suspend: () => {
        if (state !== "inside") return;
        state = "away";
        this.#leave();
      },
      acquire: async (signal, { waitsAlways = false } = {}) => {
        if (state === "inside") return;
        release();
        await this.#enter(signal, what, waitsAlways);
        state = "inside";
        if (signal === undefined) return;
        forget = afterAbort(signal, this.#lostMs, () => {
          const isInside = state === "inside";
          state = isInside ? "lost inside" : "lost away";
          this.#lose(isInside);
        });
      },
    };
  }
}

/** A place in a `Gate`. Acquiring a held place and releasing a free one do nothing. */
export interface Place {
  /**
   * Waits for the place.
   *
   * @param options.waitsAlways whether to wait even if lost calls hold the threads; default: `false`
   * @throws `aborted`, `duckdb_stuck`
   */
  acquire(signal?: AbortSignal, options?: { readonly waitsAlways?: boolean }): Promise<void>;
  /** Releases the place. */
  release(): void;
  /** Admits other work while the holder only waits. Until `release`, the holder can still count as lost. */
  suspend(): void;
}

/**
 * The gate for all DuckDB calls on the thread pool of the process.
 *
 * A running query holds a thread of the pool, which the file system and DNS also use, so one thread is reserved for
 * them. Only work that ends by itself may hold a place. A query that reads a JavaScript source waits outside (see
 * `runFed`), so that the source can use the pool.
 */
export const poolGate: Gate = poolGateOf(poolSize());

/** Reserves one thread for the file system, even with lost calls, unless the pool has only two threads. */
function poolGateOf(threads: number): Gate {
  return new Gate(Math.max(1, threads - 1), { lostMax: Math.min(threads, Math.max(2, threads - 1)) });
}

/** Returns the size of the pool: `UV_THREADPOOL_SIZE` at start, otherwise 4 in Node.js and the number of cores in Bun. */
function poolSize(): number {
  const configured = Number(process.env["UV_THREADPOOL_SIZE"]);
  if (Number.isInteger(configured) && configured > 0) return Math.min(configured, 1024);
  return process.versions["bun"] === undefined ? 4 : availableParallelism();
}
