/** The longest delay of JavaScript timers, almost 25 days; a longer one would fire immediately. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** Runs an action once after a delay of any length. @returns a function that cancels it */
export function startTimer(durationMs: number, action: () => void): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const start = (leftMs: number) => {
    const isLast = !(leftMs > TIMER_MAX_MS);
    timer = isLast
      ? setTimeout(action, leftMs)
      : setTimeout(() => start(leftMs - TIMER_MAX_MS), TIMER_MAX_MS);
  };
  start(durationMs);
  return () => clearTimeout(timer);
}

/**
 * Runs an action once nothing happened for a time. It starts and stops often: it has one timer of the runtime, which fires
 * after at least the whole time, instead of one for each start.
 */
export class StallTimer {
  readonly #durationMs: number;
  readonly #action: () => void;
  /** When it was started; null while it is stopped. */
  #sinceMs: number | null = null;
  #cancel: (() => void) | null = null;

  constructor(durationMs: number, action: () => void) {
    this.#durationMs = durationMs;
    this.#action = action;
  }

  /** Begins to wait, unless it waits already. */
  start(): void {
    if (this.#sinceMs !== null) return;
    this.#sinceMs = performance.now();
    if (this.#cancel === null) this.#wait(this.#durationMs);
  }

  /** Does not wait until the next start. */
  stop(): void {
    this.#sinceMs = null;
  }

  /** Stops, and keeps no timer. */
  close(): void {
    this.stop();
    this.#cancel?.();
    this.#cancel = null;
  }

  #wait(durationMs: number): void {
    this.#cancel = startTimer(durationMs, () => {
      this.#cancel = null;
      if (this.#sinceMs === null) return;
      const leftMs = this.#sinceMs + this.#durationMs - performance.now();
      if (leftMs > 0) return this.#wait(leftMs);
      this.stop();
      this.#action();
    });
  }
}
