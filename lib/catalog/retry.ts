import { isAgnesError, type Host } from "../base/mod.ts";

/** The part of the host that waiting needs. */
export type Waiting = Pick<Host, "monotonicMs" | "random" | "sleep">;

const FIRST_WAIT_MS = 4;
const WAIT_MS_MAX = 1000;
/** How long, and how often, something has been tried; every wait is longer than the last and random. */
export class RetryBudget {
  readonly #host: Waiting;
  readonly #budgetMs: number;
  readonly #startedMs: number;
  #attempts = 0;

  constructor(host: Waiting, budgetMs: number) {
    this.#host = host;
    this.#budgetMs = budgetMs;
    this.#startedMs = host.monotonicMs();
  }

  /** How many attempts failed. */
  get attempts(): number {
    return this.#attempts;
  }

  get waitedMs(): number {
    return this.#host.monotonicMs() - this.#startedMs;
  }

  /** Counts a failed attempt and waits; `false`, at once, when the budget is used up. */
  async again(): Promise<boolean> {
    this.#attempts += 1;
    if (this.waitedMs >= this.#budgetMs) return false;
    const waitMs = Math.min(WAIT_MS_MAX, FIRST_WAIT_MS * 2 ** Math.min(this.#attempts, 10));
    await this.#host.sleep(waitMs * this.#host.random());
    return true;
  }
}

/** Whether the storage may answer the same call later. */
export function isPassing(error: unknown): boolean {
  return isAgnesError(error, "catalog_unavailable") || isAgnesError(error, "timed_out");
}
