/** Runs at most one piece of work per key at a time; concurrent callers share its result. */
export class SingleFlight<T> {
  readonly #running = new Map<string, Promise<T>>();

  /** Starts `work`, or joins the running work of the key. The key is reserved synchronously. */
  run(key: string, work: () => Promise<T>): Promise<T> {
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const started = Promise.resolve()
      .then(work)
      .finally(() => this.#running.delete(key));
    this.#running.set(key, started);
    return started;
  }

  /** Whether work is running for the key. */
  has(key: string): boolean {
    return this.#running.has(key);
  }
}
