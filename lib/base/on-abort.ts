/** What runs when a signal aborts, behind one listener: a listener of a signal takes longer than what most of them guard. */
class AbortActions {
  static readonly #bySignal = new WeakMap<AbortSignal, AbortActions>();
  readonly #signal: AbortSignal;
  readonly #actions = new Set<() => void>();
  readonly #run = () => {
    AbortActions.#bySignal.delete(this.#signal);
    for (const action of this.#actions) {
      try {
        action();
      } catch (error) {
        // As with listeners, the others run nevertheless.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  };

  private constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", this.#run, { once: true });
    AbortActions.#bySignal.set(signal, this);
  }

  static of(signal: AbortSignal): AbortActions {
    return AbortActions.#bySignal.get(signal) ?? new AbortActions(signal);
  }

  add(action: () => void): void {
    this.#actions.add(action);
  }

  remove(action: () => void): void {
    if (!this.#actions.delete(action) || this.#actions.size > 0) return;
    this.#signal.removeEventListener("abort", this.#run);
    AbortActions.#bySignal.delete(this.#signal);
  }
}

/**
 * Runs an action once when a signal aborts, in the order of the calls; never if it is already aborted.
 *
 * @param action a function that was not passed for this signal before
 * @returns a function that cancels it
 */
export function onAbort(signal: AbortSignal, action: () => void): () => void {
  if (signal.aborted) return () => {};
  const actions = AbortActions.of(signal);
  actions.add(action);
  return () => actions.remove(action);
}
