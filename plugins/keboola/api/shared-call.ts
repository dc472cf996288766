import { AgnesError } from "agnes/kit";

/** A call whose result all callers share. A call that failed is repeated by the next caller. */
export class SharedCall<T> {
  readonly #call: (signal: AbortSignal) => Promise<T>;
  #running: Promise<T> | undefined;

  constructor(call: (signal: AbortSignal) => Promise<T>) {
    this.#call = call;
  }

  async get(signal: AbortSignal): Promise<T> {
    for (;;) {
      const running = (this.#running ??= this.#start(signal));
      try {
        return await running;
      } catch (error) {
        // The caller that started it was stopped, not this one.
        const isOther = error instanceof AgnesError && error.code === "aborted";
        if (!isOther || signal.aborted) throw error;
      }
    }
  }

  #start(signal: AbortSignal): Promise<T> {
    const running = this.#call(signal).catch((error: unknown) => {
      if (this.#running === running) this.#running = undefined;
      throw error;
    });
    return running;
  }
}
