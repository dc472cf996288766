/** Runs work sequentially, in the order of the calls. A failure does not stop later work. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }

  /** Resolves when all work queued so far has settled. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
