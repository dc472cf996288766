import { availableParallelism } from "node:os";

import { abortError, afterAbort, AgnesError } from "../base/mod.ts";

/** How long others wait for a call that does not stop after its abort. DuckDB cannot interrupt a single call. */
const LOST_MS = 1_000;

interface GateOptions {
  /** Further places that only quick work uses. Default: 0. */
  readonly reserve?: number;
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

/** What work holds: an ordinary place, or one of the reserve. */
type Held = "place" | "reserve";

/** Options for entering a gate. */
interface EnterOptions {
  /** Whether to wait even if lost calls hold the threads. Default: `false`. */
  readonly waitsAlways?: boolean;
  /** Whether the work is so short that it may use the reserve. Default: `false`. */
  readonly isQuick?: boolean;
}

/** An entry of the waiting queue. */
interface Waiting {
  readonly isQuick: boolean;
  readonly admit: (held: Held) => void;
  /** Missing if the entry waits without limit. */
  readonly reject?: () => void;
}

/** Limits concurrent work, in order of arrival. Quick work passes other work when only the reserve is free. */
export class Gate {
  readonly capacity: number;
  readonly #reserve: number;
  readonly #lostMs: number;
  readonly #lostMax: number;
  readonly #stuck: StuckError;
  readonly #inside: Record<Held, number> = { place: 0, reserve: 0 };
  /** The number of calls that could not be stopped and hold their threads. */
  #lost = 0;
  /** The number of lost calls that had already left their place. */
  #lostOutside = 0;
  readonly #waiting: Waiting[] = [];

  constructor(
    capacity: number,
    { reserve = 0, lostMs = LOST_MS, lostMax = Infinity, stuck = stuckError }: GateOptions = {},
  ) {
    this.capacity = capacity;
    this.#reserve = reserve;
    this.#lostMs = lostMs;
    this.#lostMax = lostMax;
    this.#stuck = stuck;
  }

  /** Rejects work that would wait for threads of lost calls. @throws `duckdb_stuck` */
  rejectWhenStuck(what: string): void {
    if (this.#lost >= this.#lostMax) throw this.#stuck(what, this.#lost, this.#lostOutside);
  }

  async #enter(
    signal: AbortSignal | undefined,
    what: string,
    { waitsAlways = false, isQuick = false }: EnterOptions,
  ): Promise<Held> {
    if (signal?.aborted === true) throw abortError(signal, what);
    if (!waitsAlways) this.rejectWhenStuck(what);
    const free = this.#free(isQuick);
    if (free !== null) {
      this.#inside[free] += 1;
      return free;
    }
    return new Promise<Held>((resolve, reject) => {
      const unlisten = () => signal?.removeEventListener("abort", cancel);
      const rejectStuck = () => {
        unlisten();
        reject(this.#stuck(what, this.#lost, this.#lostOutside));
      };
      const waiting: Waiting = {
        isQuick,
        admit: (held) => {
          unlisten();
          resolve(held);
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

  /**
   * Returns what is free; null: nothing. Lost calls reduce the capacity, but one place always remains; it may use the
   * reserved thread, so the reserve is closed then.
   */
  #free(isQuick: boolean): Held | null {
    if (this.#inside.place < Math.max(1, this.capacity - this.#lost)) return "place";
    return isQuick && this.#lost === 0 && this.#inside.reserve < this.#reserve ? "reserve" : null;
  }

  #leave(held: Held): void {
    this.#inside[held] -= 1;
    this.#admit();
  }

  #admit(): void {
    for (let at = 0; at < this.#waiting.length && this.#free(true) !== null;) {
      const free = this.#free(this.#waiting[at]!.isQuick);
      if (free === null) {
        at += 1;
        continue;
      }
      this.#inside[free] += 1;
      const [next] = this.#waiting.splice(at, 1);
      next!.admit(free);
    }
  }

  /** @param held what the lost call holds; null: it had left its place */
  #lose(held: Held | null): void {
    if (held !== null) this.#inside[held] -= 1;
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
    let held: Held = "place";
    let forget = () => {};
    const release = () => {
      forget();
      const before = state;
      state = "outside";
      if (before === "inside") this.#leave(held);
      else if (before === "lost inside" || before === "lost away") this.#recover(before === "lost inside");
    };
    return {
      release,
      suspend: () => {
        if (state !== "inside") return;
        state = "away";
        this.#leave(held);
      },
      acquire: async (signal, options = {}) => {
        if (state === "inside") return;
        release();
        held = await this.#enter(signal, what, options);
        state = "inside";
        if (signal === undefined) return;
        forget = afterAbort(signal, this.#lostMs, () => {
          const isInside = state === "inside";
          state = isInside ? "lost inside" : "lost away";
          this.#lose(isInside ? held : null);
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
   * @throws `aborted`, `duckdb_stuck`
   */
  acquire(signal?: AbortSignal, options?: EnterOptions): Promise<void>;
  /** Releases the place. */
  release(): void;
  /** Admits other work while the holder only waits. Until `release`, the holder can still count as lost. */
  suspend(): void;
}

/**
 * The gate for all DuckDB calls on the thread pool of the process.
 *
 * A running query holds a thread of the pool, which the file system and DNS also use, so one thread is reserved for
 * them. They share it with calls that were quick before (see `KeptStatement`), so they wait for a few of those at most. Only
 * work that ends by itself may hold a place. A query that reads a JavaScript source waits outside (see `runFed`), so that the
 * source can use the pool.
 */
export const poolGate: Gate = poolGateOf(poolSize());

/**
 * Reserves one thread for the file system, even with lost calls, unless the pool has only two threads. As many quick calls
 * may be there as the pool has threads: some wait in the pool, so that its threads never sleep until JavaScript admits the next.
 */
function poolGateOf(threads: number): Gate {
  const capacity = Math.max(1, threads - 1);
  const lostMax = Math.min(threads, Math.max(2, threads - 1));
  return new Gate(capacity, { reserve: threads === 1 ? 0 : threads, lostMax });
}

/** Returns the size of the pool: `UV_THREADPOOL_SIZE` at start, otherwise 4 in Node.js and the number of cores in Bun. */
function poolSize(): number {
  const configured = Number(process.env["UV_THREADPOOL_SIZE"]);
  if (Number.isInteger(configured) && configured > 0) return Math.min(configured, 1024);
  return process.versions["bun"] === undefined ? 4 : availableParallelism();
}
