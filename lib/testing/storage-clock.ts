import { abortError, type Host } from "../base/mod.ts";

interface Sleeper {
  readonly atMs: number;
  readonly wake: () => void;
  over: boolean;
}

/** A clock that only advances while all tasks wait, so that hours of timeouts take no time. */
export class VirtualClock {
  #nowMs = 0;
  /** A binary heap by time. */
  readonly #sleepers: Sleeper[] = [];

  /** Returns a host with this clock. */
  host(random: () => number): Pick<Host, "now" | "monotonicMs" | "random" | "sleep" | "env" | "userName"> {
    return {
      now: () => new Date(Date.UTC(2026, 0, 1) + this.#nowMs),
      monotonicMs: () => this.#nowMs,
      random,
      sleep: (durationMs, signal) => this.#sleep(durationMs, signal),
      env: {},
      userName: () => undefined,
    };
  }

  /** Advances the clock until `work` is done. */
  async run<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const settled = work.finally(() => {
      done = true;
    });
    settled.catch(() => {});
    for (;;) {
      // After a macrotask, all work that does not wait for the clock has run.
      await new Promise((resolve) => setImmediate(resolve));
      if (done) return settled;
      const next = this.#pop();
      if (next === undefined)
        throw new Error("the simulation is deadlocked: all tasks wait, but no timer is set");
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.wake();
    }
  }

  #sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper: Sleeper = { atMs: this.#nowMs + durationMs, wake: resolve, over: false };
      this.#push(sleeper);
      signal?.addEventListener("abort", () => {
        sleeper.over = true;
        reject(abortError(signal, "waiting"));
      });
    });
  }

  #push(sleeper: Sleeper): void {
    const heap = this.#sleepers;
    let at = heap.push(sleeper) - 1;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (heap[parent]!.atMs <= sleeper.atMs) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = sleeper;
  }

  #pop(): Sleeper | undefined {
    for (;;) {
      const heap = this.#sleepers;
      const [first] = heap;
      const last = heap.pop();
      if (first === undefined || last === undefined) return undefined;
      if (heap.length > 0) this.#sink(last);
      if (!first.over) return first;
    }
  }

  #sink(sleeper: Sleeper): void {
    const heap = this.#sleepers;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.atMs < heap[child]!.atMs) child += 1;
      if (heap[child]!.atMs >= sleeper.atMs) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = sleeper;
  }
}
