import { abortError, withTimeout } from "../base/mod.ts";

/** Waits for work at most so long, whether or not it listens to the signal it is given. */
export async function within<T>(
  what: string,
  limits: { readonly signal?: AbortSignal; readonly timeoutMs: number },
  work: (signal: AbortSignal) => Promise<T>,
  onLate?: (late: T) => void,
): Promise<T> {
  using limit = withTimeout(what, limits.timeoutMs, limits.signal);
  const { signal } = limit;
  if (signal.aborted) throw abortError(signal, what);
  const running = work(signal);
  return await new Promise<T>((settle, fail) => {
    signal.addEventListener("abort", () => fail(abortError(signal, what)), { once: true });
    running.then((value) => {
      if (signal.aborted) onLate?.(value);
      settle(value);
    }, fail);
  });
}
