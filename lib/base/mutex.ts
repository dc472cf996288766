/** Runs work sequentially, in the order of the calls. A failure does not stop later work. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve();
  #shared: Promise<void> | null = null;

  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }

  /** Like `run`, for work that is the same for all callers: those before it begins share it. */
  share(work: () => Promise<void>): Promise<void> {
    this.#shared ??= this.run(() => {
      this.#shared = null;
      return work();
    });
    return this.#shared;
  }

  /** Resolves when all work queued so far has settled. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
