import type { AgnesError, ConnectContext } from "agnes/kit";

import { errors } from "../errors.ts";
import { isPassing, statusOf, type Status } from "./status.ts";

const ATTEMPTS = 7;
/** A rejected token is renewed once. */
const ATTEMPTS_WITH_TOKEN = 2;
const PAUSE_MS = 1_000;
const PAUSE_MAX_MS = 20_000;

/** What is attempted. */
export interface Attempted {
  /** For errors: `table sales.orders`. */
  readonly what: string;
  readonly signal: AbortSignal;
}

/** The failures of one call, since it last succeeded or made progress. */
export class Failures {
  count = 0;
}

/** Repeats failed calls, with growing pauses. */
export class Retries {
  readonly #services: Pick<ConnectContext<unknown, never>, "log" | "sleep">;
  readonly #originOf: () => string;

  /** @param originOf where the credentials come from, for errors */
  constructor(services: Pick<ConnectContext<unknown, never>, "log" | "sleep">, originOf: () => string) {
    this.#services = services;
    this.#originOf = originOf;
  }

  /** Runs a call until it succeeds, or throws its error. */
  async run<T>(attempted: Attempted, call: () => Promise<T>): Promise<T> {
    const failures = new Failures();
    for (;;) {
      try {
        return await call();
      } catch (error) {
        await this.wait(error, failures, attempted);
      }
    }
  }

  /** Waits before the next attempt, or throws the error if it is final. */
  async wait(error: unknown, failures: Failures, { what, signal }: Attempted): Promise<void> {
    const status = statusOf(error);
    if (status === undefined) throw error;
    failures.count += 1;
    const attempts = status.name === "UNAUTHENTICATED" ? ATTEMPTS_WITH_TOKEN : ATTEMPTS;
    if (!isPassing(status) || failures.count >= attempts) throw this.#errorOf(status, what, error);
    const waitMs = Math.min(PAUSE_MS * 2 ** (failures.count - 1), PAUSE_MAX_MS);
    this.#services.log.info(`reading ${what} was interrupted: ${status.reason}; continuing`, {
      attempt: failures.count,
      waitMs,
    });
    await this.#services.sleep(waitMs, signal);
  }

  #errorOf({ name, reason }: Status, what: string, cause: unknown): AgnesError {
    switch (name) {
      case "UNAUTHENTICATED":
        return errors.token_rejected({ origin: this.#originOf(), reason }, { cause });
      case "PERMISSION_DENIED":
        return errors.access_denied({ what, reason }, { cause });
      case "NOT_FOUND":
        return errors.not_found({ what, reason }, { cause });
      case "RESOURCE_EXHAUSTED":
        return errors.quota_exceeded({ what, reason }, { cause });
      default:
        return isPassing({ name, reason })
          ? errors.unavailable({ what, reason }, { cause })
          : errors.request_refused({ what, reason }, { cause });
    }
  }
}
