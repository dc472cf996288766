/** Runs work once for all callers that ask for it before it begins. */
export class SharedWork<T> {
  readonly #running = new Map<string, Promise<void>>();
  readonly #next = new Map<string, Promise<T>>();

  /** Returns the result of work that begins after this call. @param key work with the same key is the same */
  run(key: string, work: () => Promise<T>): Promise<T> {
    const running = this.#running.get(key);
    if (running === undefined) return this.#start(key, work);
    // What runs now may have begun before a change that this caller knows of.
    const known = this.#next.get(key);
    if (known !== undefined) return known;
    const next = running.then(() => {
      this.#next.delete(key);
      return this.#start(key, work);
    });
    this.#next.set(key, next);
    return next;
  }

  #start(key: string, work: () => Promise<T>): Promise<T> {
    const result = work();
    const leave = () => {
      if (this.#running.get(key) === ended) this.#running.delete(key);
    };
    const ended: Promise<void> = result.then(leave, leave);
    this.#running.set(key, ended);
    return result;
  }
}
