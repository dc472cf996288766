import { AgnesError, raceTimeout } from "../base/mod.ts";
import { isPassing, RetryBudget, type Waiting } from "./retry.ts";

/** How long calls to the storage may take, and how often they are repeated. */
export interface CallOptions {
  readonly catalog: string;
  readonly host: Waiting;
  readonly callTimeoutMs: number;
  readonly retryBudgetMs: number;
}

/** Makes a call that fails with `timed_out` when it takes `factor` times the time limit. */
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

/** Repeats a call that changes nothing when repeated, each time within the time limit. */
export function persist<T>(
  options: CallOptions,
  operation: string,
  work: () => Promise<T>,
  factor = 1,
): Promise<T> {
  return repeat(options, () => timed(options, operation, work, factor));
}

/** Repeats work until it succeeds, fails for good, or the budget is used up. */
export async function repeat<T>(options: CallOptions, work: () => Promise<T>): Promise<T> {
  const budget = new RetryBudget(options.host, options.retryBudgetMs);
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isPassing(error) || !(await budget.again())) throw error;
    }
  }
}
