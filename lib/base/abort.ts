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
 * Waits for work until a signal fires, whether or not the work listens to it. What it comes to later is of no interest.
 *
 * @param errorOf the error that then stands for the signal
 */
export async function unlessAborted<T>(
  work: Promise<T>,
  signal: AbortSignal,
  errorOf: () => Error = () => abortError(signal, "the query"),
): Promise<T> {
  let fired: () => void = () => {};
  const aborted = new Promise<never>((_, reject) => {
    fired = () => reject(errorOf());
    if (signal.aborted) fired();
    else signal.addEventListener("abort", fired, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", fired);
  }
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
