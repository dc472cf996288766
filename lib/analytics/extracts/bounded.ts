import { abortError, afterAbort, raceAbort, withTimeout } from "../../base/mod.ts";

/** How long DuckDB has to stop after an interrupt. */
const GRACE_MS = 1000;

/** Work that did not stop: DuckDB does not look for an interrupt inside one call of a function. */
const stuck = new Set<Promise<unknown>>();

/** How much work of this process still holds a thread after its deadline. */
export function stuckCalls(): number {
  return stuck.size;
}

/**
 * Waits for work until the deadline and one more second, in which an interrupt can end it. Work that does not end is
 * left to itself and closes what it opened when DuckDB returns.
 *
 * @throws `timed_out`, `aborted`, and what the work throws
 */
export async function bounded<T>(
  what: string,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  using limit = withTimeout(what, timeoutMs, signal);
  const running = work(limit.signal);
  const over = new AbortController();
  const cancel = afterAbort(limit.signal, GRACE_MS, () => {
    stuck.add(running);
    const forget = () => void stuck.delete(running);
    running.then(forget, forget);
    over.abort();
  });
  try {
    return await raceAbort(running, over.signal, () => abortError(limit.signal, what));
  } finally {
    cancel();
  }
}
