import { AgnesError } from "./errors/mod.ts";

/**
 * Throws `aborted`, or the `AgnesError` given as the signal's reason, when the signal has fired.
 */
export function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted === true) throw abortError(signal, what);
}

/** The error that stands for a fired signal. */
export function abortError(signal: AbortSignal, what: string): AgnesError {
  const reason: unknown = signal.reason;
  return reason instanceof AgnesError ? reason : new AgnesError("aborted", { what }, { cause: reason });
}

/** A signal that fires with `timed_out` after `timeoutMs`, or when `signal` does; dispose of it when done. */
export function withTimeout(
  what: string,
  timeoutMs: number | undefined,
  signal?: AbortSignal,
): { readonly signal: AbortSignal; [Symbol.dispose](): void } {
  const controller = new AbortController();
  const forward = () => controller.abort(signal?.reason);
  if (signal?.aborted === true) forward();
  else signal?.addEventListener("abort", forward, { once: true });
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => controller.abort(new AgnesError("timed_out", { what, timeoutMs })), timeoutMs);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", forward);
    },
  };
}

/**
 * Waits for work until a signal fires, even if the work ignores the signal. A failure of the work after that is dropped.
 *
 * @param error what the work is called in `aborted`, or the error to throw instead
 * @param onLate receives the result if the work succeeds after the signal has fired
 * @throws `aborted`, or the `AgnesError` given as the signal's reason
 */
export function raceAbort<T>(
  work: Promise<T>,
  signal: AbortSignal,
  error: string | (() => Error),
  onLate?: (late: T) => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(typeof error === "string" ? abortError(signal, error) : error());
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    work
      .then((value) => {
        if (signal.aborted) onLate?.(value);
        resolve(value);
      }, reject)
      .finally(() => signal.removeEventListener("abort", abort));
  });
}

/**
 * Does work until a deadline, even if the work ignores the signal it gets. Without `timeoutMs` only `signal` ends it.
 *
 * @param onLate receives the result if the work succeeds after the deadline or the abort
 * @throws `timed_out`, `aborted`, and what the work throws
 */
export async function withDeadline<T>(
  what: string,
  limits: { readonly timeoutMs?: number | undefined; readonly signal?: AbortSignal | undefined },
  work: (signal: AbortSignal) => Promise<T>,
  onLate?: (late: T) => void,
): Promise<T> {
  using limit = withTimeout(what, limits.timeoutMs, limits.signal);
  throwIfAborted(limit.signal, what);
  return await raceAbort(work(limit.signal), limit.signal, what, onLate);
}

/** Waits for work at most so long. What it fails with later is of no interest any more. */
export async function atMost(work: Promise<unknown>, durationMs: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<void>((resolve) => (timer = setTimeout(resolve, durationMs)));
  try {
    await Promise.race([work, over]);
  } finally {
    clearTimeout(timer);
  }
}
