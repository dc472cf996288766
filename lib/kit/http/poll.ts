import { AgnesError, atMost, isAgnesError, throwIfAborted, type Host, type Log } from "../../base/mod.ts";
import type { HttpPollRequest } from "./http.ts";

const PAUSE_FIRST_MS = 1_000;
const PAUSE_GROWTH = 1.5;
const PAUSE_MAX_MS = 20_000;
const TIMEOUT_MS = 30 * 60_000;
const CANCEL_TIMEOUT_MS = 5_000;
/** How often in a row the source may be out of reach before a poll gives up; each has its own retries. */
const FAILURES_MAX = 5;

/** What one question to a job gave. */
export interface JobAnswer<T> {
  readonly answer: T;
  /** What the source asked to wait; absent: it did not ask. */
  readonly retryAfterMs?: number;
}

/** What a poll needs of the world. */
export interface PollServices {
  readonly host: Pick<Host, "monotonicMs" | "random" | "sleep">;
  readonly log: Log;
  /** The job, fit for messages. */
  readonly what: string;
}

/** Asks a job until it is done; see `Http.poll`. */
export async function pollJob<T>(
  { host, log, what }: PollServices,
  request: PollOptions<T>,
  ask: (leftMs: number) => Promise<JobAnswer<T>>,
): Promise<T> {
  const { signal, timeoutMs = TIMEOUT_MS, pauseMs = PAUSE_FIRST_MS, maxPauseMs = PAUSE_MAX_MS } = request;
  const startedMs = host.monotonicMs();
  const leftMs = () => timeoutMs - (host.monotonicMs() - startedMs);
  let fullMs = pauseMs;
  let failures = 0;
  // A job that ended by itself, well or not, needs no clean-up.
  let mayRun = true;
  try {
    for (;;) {
      throwIfAborted(signal, what);
      const asked = await askOnce(ask, leftMs());
      if ("answer" in asked) {
        failures = 0;
        mayRun = false;
        if (request.isDone(asked.answer)) return asked.answer;
        mayRun = true;
        request.onProgress?.({ phase: request.phaseOf?.(asked.answer) ?? "waiting for the source" });
      } else {
        failures = asked.retryAfterMs === undefined ? failures + 1 : 0;
        if (failures > FAILURES_MAX) throw asked.error;
      }
      const { retryAfterMs = 0 } = asked;
      // Jobs that began together must not be asked in the same moment.
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

/** An answer, or the error of a source that may be back in reach before the deadline. */
async function askOnce<T>(
  ask: (leftMs: number) => Promise<JobAnswer<T>>,
  leftMs: number,
): Promise<JobAnswer<T> | { readonly error: AgnesError; readonly retryAfterMs?: number }> {
  try {
    return await ask(leftMs);
  } catch (error) {
    if (!isAgnesError(error, "source_unavailable")) throw error;
    const { retryAfterMs } = error.details;
    return { error, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  }
}

/** The job is of no use any more; whether it could be stopped does not change why. */
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
