import { AgnesError } from "./errors/mod.ts";
import type { Host } from "./host.ts";
import { onAbort } from "./on-abort.ts";
import { startTimer } from "./timer.ts";

/**
 * Throws `aborted`, or the `AgnesError` in the signal's reason, if the signal is aborted.
 */
export function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted === true) throw abortError(signal, what);
}

/** Returns the error for an aborted signal. */
export function abortError(signal: AbortSignal, what: string): AgnesError {
  const reason: unknown = signal.reason;
  return reason instanceof AgnesError ? reason : new AgnesError("aborted", { what }, { cause: reason });
}

/** A controller whose signal also aborts when `signal` aborts; dispose of it when done. */
export function linkedController(
  signal: AbortSignal | undefined,
): Pick<AbortController, "signal" | "abort"> & { [Symbol.dispose](): void } {
  const controller = new AbortController();
  const forward = () => controller.abort(signal?.reason);
  if (signal?.aborted === true) forward();
  else signal?.addEventListener("abort", forward, { once: true });
  return {
    signal: controller.signal,
    abort: (reason?: unknown) => controller.abort(reason),
    [Symbol.dispose]: () => signal?.removeEventListener("abort", forward),
  };
}

/** A signal that aborts with `timed_out` after `timeoutMs`, or when `signal` aborts; dispose of it when done. */
export function withTimeout(
  what: string,
  timeoutMs: number | undefined,
  signal?: AbortSignal,
): { readonly signal: AbortSignal; [Symbol.dispose](): void } {
  const controller = linkedController(signal);
  const stop =
    timeoutMs === undefined
      ? undefined
      : startTimer(timeoutMs, () => controller.abort(new AgnesError("timed_out", { what, timeoutMs })));
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      stop?.();
      controller[Symbol.dispose]();
    },
  };
}

/**
 * Waits for work until a signal aborts, even if the work ignores the signal. Later failures of the work are ignored.
 *
 * @param error the name of the work in `aborted`, or a function that returns the error to throw instead
 * @param onLate receives the result if the work succeeds after the abort
 * @throws `aborted`, or the `AgnesError` in the signal's reason
 */
export function raceAbort<T>(
  work: Promise<T>,
  signal: AbortSignal,
  error: string | (() => Error),
  onLate?: (late: T) => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(typeof error === "string" ? abortError(signal, error) : error());
    const unlisten = onAbort(signal, abort);
    if (signal.aborted) abort();
    work.then(
      (value) => {
        unlisten();
        if (signal.aborted) onLate?.(value);
        resolve(value);
      },
      (failure: unknown) => {
        unlisten();
        reject(failure);
      },
    );
  });
}

/**
 * Runs work with a deadline, even if the work ignores its signal. Without `timeoutMs` only `signal` stops it.
 *
 * @param onLate receives the result if the work succeeds after the deadline or the abort
 * @throws `timed_out`, `aborted`, and errors of the work
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

/**
 * Waits for work with a timeout, even if the work does not end. Later failures of the work are ignored.
 *
 * @param error returns the error to throw on timeout
 * @param host the host whose clock to use. Default: the timer of the runtime
 */
export function raceTimeout<T>(
  work: Promise<T>,
  timeoutMs: number,
  error: () => Error,
  host?: Pick<Host, "sleep">,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const stop = startClock(timeoutMs, () => reject(error()), host);
    work.then(resolve, reject).finally(stop);
  });
}

/** Waits for work for at most this duration. Later failures are ignored. */
export async function atMost(
  work: Promise<unknown>,
  durationMs: number,
  host?: Pick<Host, "sleep">,
): Promise<void> {
  await raceTimeout(work, durationMs, () => OVER, host).catch((error: unknown) => {
    if (error !== OVER) throw error;
  });
}

/** Runs an action once, `delayMs` after a signal aborts. @returns a function that cancels it */
export function afterAbort(signal: AbortSignal, delayMs: number, action: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const start = () => void (timer = setTimeout(action, delayMs));
  const unlisten = onAbort(signal, start);
  if (signal.aborted) start();
  return () => {
    clearTimeout(timer);
    unlisten();
  };
}

/** The reason for cancelling a timer. Created once, because an error per call would cost more than the call. */
const OVER = new AgnesError("aborted", { what: "waiting" });

function startClock(durationMs: number, action: () => void, host?: Pick<Host, "sleep">): () => void {
  if (host === undefined) return startTimer(durationMs, action);
  const stop = new AbortController();
  host.sleep(durationMs, stop.signal).then(action, () => {});
  return () => stop.abort(OVER);
}
