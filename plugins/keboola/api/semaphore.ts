/** Limits how many tasks use a resource at once. Tasks wait in their order. */
export class Semaphore {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(size: number) {
    this.#free = size;
  }

  /**
   * Waits for a free place and takes up to `wanted` places. Call `release` when they are free again.
   * @throws the reason of `signal`
   */
  async take(wanted: number, signal: AbortSignal): Promise<Places> {
    while (this.#free === 0) await this.#next(signal);
    signal.throwIfAborted();
    const count = Math.min(wanted, this.#free);
    this.#free -= count;
    if (this.#free > 0) this.#waiting.shift()?.();
    let isReleased = false;
    const release = () => {
      if (isReleased) return;
      isReleased = true;
      this.#free += count;
      this.#waiting.shift()?.();
    };
    return { count, release };
  }

  #next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = () => {
        const at = this.#waiting.indexOf(go);
        if (at >= 0) this.#waiting.splice(at, 1);
        reject(signal.reason as Error);
      };
      const go = () => {
        signal.removeEventListener("abort", stop);
        resolve();
      };
      signal.throwIfAborted();
      this.#waiting.push(go);
      signal.addEventListener("abort", stop, { once: true });
    });
  }
}

/** Taken places. */
export interface Places {
  readonly count: number;
  /** Further calls do nothing. */
  release(): void;
}
