import { startTimer, type AgnesError } from "../../base/mod.ts";

/** A signal that fires when something takes too long while the watch is started, or when one of `signals` does. */
export class Watch {
  readonly #controller = new AbortController();
  readonly #signals: readonly AbortSignal[];
  readonly #limitMs: number;
  readonly #silent: () => AgnesError;
  #stopTimer: (() => void) | undefined;

  /** @param silent the error of which the signal fires when `limitMs` have passed */
  constructor(limitMs: number, signals: readonly AbortSignal[], silent: () => AgnesError) {
    this.#limitMs = limitMs;
    this.#signals = signals;
    this.#silent = silent;
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
    this.#stopTimer = startTimer(this.#limitMs, () => this.#controller.abort(this.#silent()));
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
