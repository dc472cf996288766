import { AgnesError, isAgnesError, type Host } from "../base/mod.ts";

/** The part of the host that waiting needs. */
export type Waiting = Pick<Host, "monotonicMs" | "random" | "sleep">;

const FIRST_WAIT_MS = 4;
const WAIT_MS_MAX = 1000;
/** Why a timer is no longer needed; made once, for an error made at every call would cost more than the call. */
const DONE = new AgnesError("aborted", { what: "waiting" });

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

/** Rejects with `timed_out` when `work` takes longer; what it does later is ignored. */
export async function within<T>(
  host: Waiting,
  what: string,
  timeoutMs: number,
  work: () => Promise<T>,
): Promise<T> {
  const done = new AbortController();
  const running = work();
  running.catch(() => {});
  const late = host.sleep(timeoutMs, done.signal).then(
    () => Promise.reject(new AgnesError("timed_out", { what, timeoutMs })),
    () => running,
  );
  try {
    return await Promise.race([running, late]);
  } finally {
    late.catch(() => {});
    done.abort(DONE);
  }
}

/** Whether the storage may answer the same call later. */
export function isPassing(error: unknown): boolean {
  return isAgnesError(error, "catalog_unavailable") || isAgnesError(error, "timed_out");
}
