import { AgnesError, raceTimeout } from "../base/mod.ts";
import { isTransient, RetryBudget, type RetryHost } from "./retry.ts";

/** Timeout and retry budget of calls to the storage. */
export interface CallOptions {
  readonly catalog: string;
  readonly host: RetryHost;
  readonly callTimeoutMs: number;
  readonly retryBudgetMs: number;
}

/** Makes a call that fails with `timed_out` after `factor` times the timeout. */
export async function timed<T>(
  options: CallOptions,
  operation: string,
  work: () => Promise<T>,
  factor = 1,
): Promise<T> {
  const what = `"${operation}" in catalog ${options.catalog}`;
  const timeoutMs = options.callTimeoutMs * factor;
  return raceTimeout(work(), timeoutMs, () => new AgnesError("timed_out", { what, timeoutMs }), options.host);
}

/** Retries an idempotent call; each attempt has the timeout. */
export function persist<T>(
  options: CallOptions,
  operation: string,
  work: () => Promise<T>,
  factor = 1,
): Promise<T> {
  return repeat(options, () => timed(options, operation, work, factor));
}

/** Retries work until it succeeds, fails permanently, or the budget is used up. */
export async function repeat<T>(options: CallOptions, work: () => Promise<T>): Promise<T> {
  const budget = new RetryBudget(options.host, options.retryBudgetMs);
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isTransient(error) || !(await budget.again())) throw error;
    }
  }
}
