/** Runs pieces of work one after the other, in the order asked for. A failure does not stop those after it. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }

  /** Resolves when all that was asked for so far has ended, however it ended. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
