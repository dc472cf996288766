import { abortError, afterAbort, raceAbort, withTimeout } from "../../base/mod.ts";

/** The time for DuckDB to stop after an interrupt. */
const GRACE_MS = 1000;

/** Abandoned work: DuckDB does not check for interrupts within one function call. */
const stuck = new Set<Promise<unknown>>();

/** Returns the number of abandoned calls that still occupy a thread. */
export function stuckCalls(): number {
  return stuck.size;
}

/**
 * Runs work with a timeout, plus one second for the interrupt to take effect. Work that does not stop is abandoned and
 * cleans up when DuckDB returns.
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
