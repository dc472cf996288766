import { startTimer, type AgnesError } from "../../base/mod.ts";

/** A signal that aborts when the started watch exceeds its limit, or when one of `signals` aborts. */
export class Watch {
  readonly #controller = new AbortController();
  readonly #signals: readonly AbortSignal[];
  readonly #limitMs: number;
  readonly #timeout: () => AgnesError;
  #stopTimer: (() => void) | undefined;

  /** @param timeout creates the abort reason after `limitMs` */
  constructor(limitMs: number, signals: readonly AbortSignal[], timeout: () => AgnesError) {
    this.#limitMs = limitMs;
    this.#signals = signals;
    this.#timeout = timeout;
    for (const signal of signals) {
      if (signal.aborted) this.#controller.abort(signal.reason);
      signal.addEventListener("abort", this.#forward);
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  start(): void {
    this.stop();
    this.#stopTimer = startTimer(this.#limitMs, () => this.#controller.abort(this.#timeout()));
  }

  stop(): void {
    this.#stopTimer?.();
  }

  close(): void {
    this.stop();
    for (const signal of this.#signals) signal.removeEventListener("abort", this.#forward);
  }

  readonly #forward = (event: Event): void => {
    this.#controller.abort((event.target as AbortSignal).reason);
  };
}
