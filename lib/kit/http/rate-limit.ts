import { abortError, AgnesError, throwIfAborted, type Host } from "../../base/mod.ts";

/** The rate limit shared by all requests of one source: requests started per second and concurrent requests. */
export class RateLimit {
  readonly #host: Pick<Host, "monotonicMs" | "sleep">;
  readonly #waiting: (() => void)[] = [];
  #gapMs = 0;
  #concurrency = 8;
  #running = 0;
  #nextAtMs = 0;

  constructor(host: Pick<Host, "monotonicMs" | "sleep">) {
    this.#host = host;
  }

  /** Sets the limits; `undefined` leaves a limit unchanged. */
  configure(limits: { readonly requestsPerSecond?: number; readonly concurrency?: number }): void {
    if (limits.requestsPerSecond !== undefined) this.#gapMs = 1000 / limits.requestsPerSecond;
    if (limits.concurrency !== undefined) this.#concurrency = Math.max(1, Math.floor(limits.concurrency));
    this.#wake();
  }

  /** Starts no request for this duration; used for Retry-After. */
  pause(durationMs: number): void {
    this.#nextAtMs = Math.max(this.#nextAtMs, this.#host.monotonicMs() + durationMs);
  }

  /**
   * Waits for a slot; call the returned function when the request is done.
   *
   * @param waitMaxMs fails immediately with `source_unavailable` if a pause lasts longer
   */
  async acquire(signal: AbortSignal, waitMaxMs: number): Promise<() => void> {
    throwIfAborted(signal, "waiting for the rate limit");
    await this.#slot(signal);
    let released = false;
    const release = () => {
      if (released) return;
      released = true;
      this.#running -= 1;
      this.#wake();
    };
    try {
      await this.#turn(signal, waitMaxMs);
    } catch (error) {
      release();
      throw error;
    }
    return release;
  }

  /** Reserves the next start time of a request and waits for it. */
  async #turn(signal: AbortSignal, waitMaxMs: number): Promise<void> {
    const nowMs = this.#host.monotonicMs();
    const atMs = Math.max(nowMs, this.#nextAtMs);
    if (atMs - nowMs > waitMaxMs) {
      const retryAfterMs = Math.ceil(atMs - nowMs);
      const reason = `the source rejects requests for another ${Math.ceil(retryAfterMs / 1000)} s (Retry-After)`;
      throw new AgnesError("source_unavailable", { reason, retryAfterMs });
    }
    this.#nextAtMs = atMs + this.#gapMs;
    if (atMs > nowMs) await this.#host.sleep(atMs - nowMs, signal);
  }

  #slot(signal: AbortSignal): Promise<void> {
    if (this.#running < this.#concurrency && this.#waiting.length === 0) {
      this.#running += 1;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const enter = () => {
        signal.removeEventListener("abort", leave);
        this.#running += 1;
        resolve();
      };
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1);
        reject(abortError(signal, "waiting for the rate limit"));
      };
      this.#waiting.push(enter);
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  #wake(): void {
    while (this.#running < this.#concurrency) {
      const enter = this.#waiting.shift();
      if (enter === undefined) return;
      enter();
    }
  }
}
