import { isAgnesError, type Host } from "../base/mod.ts";

/** The part of the host that retries need. */
export type RetryHost = Pick<Host, "monotonicMs" | "random" | "sleep">;

const FIRST_WAIT_MS = 4;
const WAIT_MS_MAX = 1000;

/** Retries with exponential backoff and jitter until the time budget is used up. */
export class RetryBudget {
  readonly #host: RetryHost;
  readonly #budgetMs: number;
  readonly #startedMs: number;
  #attempts = 0;

  constructor(host: RetryHost, budgetMs: number) {
    this.#host = host;
    this.#budgetMs = budgetMs;
    this.#startedMs = host.monotonicMs();
  }

  /** The number of failed attempts. */
  get attempts(): number {
    return this.#attempts;
  }

  get waitedMs(): number {
    return this.#host.monotonicMs() - this.#startedMs;
  }

  /** Counts a failed attempt and waits. Returns `false` without waiting if the budget is used up. */
  async again(): Promise<boolean> {
    this.#attempts += 1;
    if (this.waitedMs >= this.#budgetMs) return false;
    const waitMs = Math.min(WAIT_MS_MAX, FIRST_WAIT_MS * 2 ** Math.min(this.#attempts, 10));
    await this.#host.sleep(waitMs * this.#host.random());
    return true;
  }
}

/** Whether the same call may succeed later. */
export function isTransient(error: unknown): boolean {
  return isAgnesError(error, "catalog_unavailable") || isAgnesError(error, "timed_out");
}
