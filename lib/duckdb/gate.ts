import { availableParallelism } from "node:os";

import { abortError, afterAbort, AgnesError } from "../base/mod.ts";

/** DuckDB cannot be stopped inside one call: whoever comes next does not wait for that any longer. */
const LOST_MS = 1_000;

interface GateOptions {
  /** How long after its abort work may still hold its place; then it is lost. Default: one second. */
  readonly lostMs?: number;
  /** How much lost work there may be before nobody is let in any more. Default: any. */
  readonly lostMax?: number;
  /** The error for who is not let in because of that. Default: `duckdb_stuck`. */
  readonly stuck?: StuckError;
}

/** @param attaches how many of the calls wait for another system */
type StuckError = (what: string, calls: number, attaches: number) => Error;

const stuckError: StuckError = (what, calls, attaches) =>
  new AgnesError("duckdb_stuck", { what, calls, ...(attaches > 0 && { attaches }) });

/** One who waits to be let in. */
interface Waiting {
  readonly letIn: () => void;
  /** Absent for who waits however long it takes. */
  readonly refuse?: () => void;
}

/** Lets a bounded number in at a time, first come first served. */
export class Gate {
  readonly capacity: number;
  readonly #lostMs: number;
  readonly #lostMax: number;
  readonly #stuck: StuckError;
  #inside = 0;
  /** Work that could not be stopped, and holds its thread. */
  #lost = 0;
  /** How much of it had left its place to others. */
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

  /** @throws `duckdb_stuck` when lost work holds the threads, so that what needs one would wait for it */
  refuseWhenStuck(what: string): void {
    if (this.#lost >= this.#lostMax) throw this.#stuck(what, this.#lost, this.#lostOutside);
  }

  async #enter(signal: AbortSignal | undefined, what: string, isPatient: boolean): Promise<void> {
    if (signal?.aborted === true) throw abortError(signal, what);
    if (!isPatient) this.refuseWhenStuck(what);
    if (this.#hasRoom) {
      this.#inside += 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const leave = () => signal?.removeEventListener("abort", giveUp);
      const refuse = () => {
        leave();
        reject(this.#stuck(what, this.#lost, this.#lostOutside));
      };
      const waiting: Waiting = {
        letIn: () => {
          leave();
          resolve();
        },
        ...(isPatient ? {} : { refuse }),
      };
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(abortError(signal!, what));
      };
      this.#waiting.push(waiting);
      signal?.addEventListener("abort", giveUp, { once: true });
    });
  }

  /** Lost work holds a thread, but there is always room for one: then it shares the thread that is left to others. */
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
      this.#waiting.shift()!.letIn();
    }
  }

  #lose(isInside: boolean): void {
    if (isInside) this.#inside -= 1;
    else this.#lostOutside += 1;
    this.#lost += 1;
    if (this.#lost < this.#lostMax) return this.#admit();
    const refused = this.#waiting.filter(({ refuse }) => refuse !== undefined);
    for (const one of refused) this.#waiting.splice(this.#waiting.indexOf(one), 1);
    for (const { refuse } of refused) refuse!();
    this.#admit();
  }

  #find(wasInside: boolean): void {
    if (!wasInside) this.#lostOutside -= 1;
    this.#lost -= 1;
    this.#admit();
  }

  /** A place inside, taken and given back as often as its holder needs. */
  place(what: string): Place {
    let state: "outside" | "inside" | "away" | "lost inside" | "lost away" = "outside";
    let forget = () => {};
    const give = () => {
      forget();
      const before = state;
      state = "outside";
      if (before === "inside") this.#leave();
      else if (before === "lost inside" || before === "lost away") this.#find(before === "lost inside");
    };
    return {
      give,
      leave: () => {
        if (state !== "inside") return;
        state = "away";
        this.#leave();
      },
      take: async (signal, { isPatient = false } = {}) => {
        if (state === "inside") return;
        give();
        await this.#enter(signal, what, isPatient);
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

/** A place in a `Gate`. Taking what is held and giving back what is not do nothing. */
export interface Place {
  /**
   * @param options.isPatient whether to wait even while lost work holds the threads, because the holder must have its turn.
   * Default `false`.
   * @throws `aborted`, `duckdb_stuck`
   */
  take(signal?: AbortSignal, options?: { readonly isPatient?: boolean }): Promise<void>;
  give(): void;
  /** Lets another one in while the holder goes on, because it only waits. It may still be lost, until it gives the place back. */
  leave(): void;
}

/**
 * The gate that every DuckDB call on the thread pool passes.
 *
 * A running query holds a thread of the pool that the file system and DNS need too, so one thread is always left
 * to them. Only work that ends by itself may be inside: a query fed by a JavaScript source waits outside (see
 * `runFed`), so whatever that source does, the pool serves it.
 *
 * One for the process, as the pool is.
 */
export const poolGate: Gate = poolGateOf(poolSize());

/** One thread is left to the file system, also beside lost work, unless there are but two. */
function poolGateOf(threads: number): Gate {
  return new Gate(Math.max(1, threads - 1), { lostMax: Math.min(threads, Math.max(2, threads - 1)) });
}

/** How many threads the pool has: `UV_THREADPOOL_SIZE` as it was at start, else 4 in Node and the cores in Bun. */
function poolSize(): number {
  const asked = Number(process.env["UV_THREADPOOL_SIZE"]);
  if (Number.isInteger(asked) && asked > 0) return Math.min(asked, 1024);
  return process.versions["bun"] === undefined ? 4 : availableParallelism();
}
