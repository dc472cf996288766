import { availableParallelism } from "node:os";

import { abortError } from "../base/mod.ts";

/** DuckDB cannot be stopped inside one call: whoever comes next does not wait for that any longer. */
const LOST_MS = 1_000;

/** Lets a bounded number in at a time, first come first served. */
export class Gate {
  readonly capacity: number;
  #inside = 0;
  readonly #waiting: (() => void)[] = [];

  readonly #lostMs: number;

  /** @param lostMs how long after its abort work may still hold its place */
  constructor(capacity: number, lostMs: number = LOST_MS) {
    this.capacity = capacity;
    this.#lostMs = lostMs;
  }

  async #enter(signal: AbortSignal | undefined, what: string): Promise<void> {
    if (signal?.aborted === true) throw abortError(signal, what);
    if (this.#inside < this.capacity) {
      this.#inside += 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const letIn = () => {
        signal?.removeEventListener("abort", giveUp);
        resolve();
      };
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(letIn), 1);
        reject(abortError(signal!, what));
      };
      this.#waiting.push(letIn);
      signal?.addEventListener("abort", giveUp, { once: true });
    });
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#inside -= 1;
    else next();
  }

  /**
   * Stops counting one holder that cannot be stopped, so that it keeps nobody else out.
   * @returns to be called when it has left
   */
  overlook(): () => void {
    this.#leave();
    return () => void (this.#inside += 1);
  }

  /** A place inside, taken and given back as often as its holder needs. */
  place(what: string): Place {
    let held = false;
    let forget = () => {};
    const give = () => {
      forget();
      if (!held) return;
      held = false;
      this.#leave();
    };
    return {
      give,
      take: async (signal) => {
        if (held) return;
        await this.#enter(signal, what);
        held = true;
        let timer: ReturnType<typeof setTimeout> | undefined;
        const lose = () => (timer = setTimeout(give, this.#lostMs)).unref();
        signal?.addEventListener("abort", lose, { once: true });
        forget = () => {
          clearTimeout(timer);
          signal?.removeEventListener("abort", lose);
        };
      },
    };
  }
}

/** A place in a `Gate`. Taking what is held and giving back what is not do nothing. */
export interface Place {
  take(signal?: AbortSignal): Promise<void>;
  give(): void;
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
export const poolGate: Gate = new Gate(Math.max(1, poolSize() - 1));

/** How many threads the pool has: `UV_THREADPOOL_SIZE` as it was at start, else 4 in Node and the cores in Bun. */
function poolSize(): number {
  const asked = Number(process.env["UV_THREADPOOL_SIZE"]);
  if (Number.isInteger(asked) && asked > 0) return Math.min(asked, 1024);
  return process.versions["bun"] === undefined ? 4 : availableParallelism();
}
