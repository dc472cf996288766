/** Runs at most one piece of work per key at a time; later callers get the running one's result. */
export class SingleFlight<T> {
  readonly #running = new Map<string, Promise<T>>();

  /** Starts `work`, or joins what runs under the key. The key is taken before anything is awaited. */
  run(key: string, work: () => Promise<T>): Promise<T> {
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const started = Promise.resolve()
      .then(work)
      .finally(() => this.#running.delete(key));
    this.#running.set(key, started);
    return started;
  }

  /** Whether work runs under the key. */
  has(key: string): boolean {
    return this.#running.has(key);
  }
}
