import { abortError, withTimeout } from "../../base/mod.ts";
import { poolGate } from "../../duckdb/mod.ts";

/** How long DuckDB may take to attach the database of another system. */
export const ATTACH_TIMEOUT_MS = 10_000;

/**
 * Attaches of this process that may run at once. One that connects to a host which does not answer cannot be
 * interrupted, and holds a thread of the pool until the operating system gives up: one thread is left for queries.
 */
export class AttachSlots {
  readonly #capacity: number;
  #held = 0;
  #stuck = 0;
  readonly #waiting = new Set<() => void>();

  constructor(capacity: number) {
    this.#capacity = Math.max(1, capacity);
  }

  /** @throws what the signal says, or an error when every slot is held by an attach that nobody waits for any more */
  async take(what: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      if (signal.aborted) throw abortError(signal, what);
      if (this.#held < this.#capacity) break;
      if (this.#stuck >= this.#capacity) {
        throw new Error(
          "another database that was to be attached does not answer, and DuckDB still waits for it",
        );
      }
      await new Promise<void>((wake) => {
        this.#waiting.add(wake);
        signal.addEventListener("abort", () => wake(), { once: true });
      });
    }
    this.#held += 1;
  }

  give(): void {
    this.#held -= 1;
    this.#wake();
  }

  /** Notes that nobody waits for one of them any more. @returns to be called before it is given back */
  abandon(): () => void {
    this.#stuck += 1;
    this.#wake();
    return () => void (this.#stuck -= 1);
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

/** How long DuckDB has to stop after an interrupt. */
const GRACE_MS = 1_000;

const slots = new AttachSlots(poolGate.capacity - 1);

/**
 * Does work that attaches a database, for at most so long. DuckDB does not always look at an interrupt while it
 * connects: then nobody waits for it, and it cleans up when it ends.
 *
 * @throws `timed_out`, `aborted`, and what the work throws
 */
export async function attachWithin<T>(
  what: string,
  limits: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  using limit = withTimeout(what, limits.timeoutMs, limits.signal);
  const { signal } = limit;
  await slots.take(what, signal);
  let forget = () => {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  const running = (async () => {
    try {
      return await work(signal);
    } finally {
      clearTimeout(timer);
      forget();
      slots.give();
    }
  })();
  return await new Promise<T>((settle, fail) => {
    const giveUp = () => {
      timer = setTimeout(() => (forget = slots.abandon()), GRACE_MS);
      timer.unref();
      fail(abortError(signal, what));
    };
    signal.addEventListener("abort", giveUp, { once: true });
    const end = () => signal.removeEventListener("abort", giveUp);
    running.finally(end).then(settle, fail);
  });
}
