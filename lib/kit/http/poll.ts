import { AgnesError, atMost, isAgnesError, throwIfAborted, type Host, type Log } from "../../base/mod.ts";
import type { HttpPollRequest } from "./http.ts";

const PAUSE_FIRST_MS = 1_000;
const PAUSE_GROWTH = 1.5;
const PAUSE_MAX_MS = 20_000;
const TIMEOUT_MS = 30 * 60_000;
const CANCEL_TIMEOUT_MS = 5_000;
/** Maximum number of consecutive failures, each after its own retries. */
const FAILURES_MAX = 5;

/** One response about a job. */
export interface JobResponse<T> {
  readonly response: T;
  /** The Retry-After of the source, if any. */
  readonly retryAfterMs?: number;
}

/** Services that a poll uses. */
export interface PollServices {
  readonly host: Pick<Host, "monotonicMs" | "random" | "sleep">;
  readonly log: Log;
  /** The redacted name of the job for messages. */
  readonly what: string;
}

/** Polls a job until it is done; see `Http.poll`. */
export async function pollJob<T>(
  { host, log, what }: PollServices,
  request: PollOptions<T>,
  ask: (leftMs: number) => Promise<JobResponse<T>>,
): Promise<T> {
  const { signal, timeoutMs = TIMEOUT_MS, pauseMs = PAUSE_FIRST_MS, maxPauseMs = PAUSE_MAX_MS } = request;
  const startedMs = host.monotonicMs();
  const leftMs = () => timeoutMs - (host.monotonicMs() - startedMs);
  let fullMs = pauseMs;
  let failures = 0;
  // A job that has ended, successfully or not, does not need to be cancelled.
  let mayRun = true;
  try {
    for (;;) {
      throwIfAborted(signal, what);
      const asked = await askOnce(ask, leftMs());
      if ("response" in asked) {
        failures = 0;
        mayRun = false;
        if (request.isDone(asked.response)) return asked.response;
        mayRun = true;
        request.onProgress?.({ phase: request.phaseOf?.(asked.response) ?? "waiting for the source" });
      } else {
        failures = asked.retryAfterMs === undefined ? failures + 1 : 0;
        if (failures > FAILURES_MAX) throw asked.error;
      }
      const { retryAfterMs = 0 } = asked;
      // Jitter: jobs that started together must not be polled at the same time.
      const waitMs = Math.max(retryAfterMs, fullMs * (0.8 + host.random() * 0.4));
      if (waitMs >= leftMs())
        throw "error" in asked ? asked.error : new AgnesError("timed_out", { what, timeoutMs });
      await host.sleep(waitMs, signal);
      fullMs = Math.min(maxPauseMs, fullMs * PAUSE_GROWTH);
    }
  } catch (error) {
    if (mayRun && request.cancel !== undefined) await cancelled(log, what, request.cancel);
    throw error;
  }
}

/** The part of a request that a poll uses. */
type PollOptions<T> = Pick<
  HttpPollRequest<T>,
  "signal" | "timeoutMs" | "pauseMs" | "maxPauseMs" | "isDone" | "phaseOf" | "onProgress" | "cancel"
>;

/** Returns the response, or a transient error that may be resolved before the deadline. */
async function askOnce<T>(
  ask: (leftMs: number) => Promise<JobResponse<T>>,
  leftMs: number,
): Promise<JobResponse<T> | { readonly error: AgnesError; readonly retryAfterMs?: number }> {
  try {
    return await ask(leftMs);
  } catch (error) {
    if (!isAgnesError(error, "source_unavailable")) throw error;
    const { retryAfterMs } = error.details;
    return { error, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  }
}

/** Cancels the job; a failure is only logged, so that the original error is kept. */
async function cancelled(
  log: Log,
  what: string,
  cancel: (options: { readonly signal: AbortSignal }) => Promise<unknown>,
): Promise<void> {
  const signal = AbortSignal.timeout(CANCEL_TIMEOUT_MS);
  const work = (async () => cancel({ signal }))().catch((error: unknown) =>
    log.warn("a job could not be cancelled at its source", { job: what, error }),
  );
  await atMost(work, CANCEL_TIMEOUT_MS);
}
