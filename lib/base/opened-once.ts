/** Something that is opened at its first use, and again at the next use if that failed, for example because the disk was full. */
export class OpenedOnce<T> {
  readonly #open: () => Promise<T>;
  #opening: Promise<T> | null = null;

  constructor(open: () => Promise<T>) {
    this.#open = open;
  }

  get(): Promise<T> {
    if (this.#opening !== null) return this.#opening;
    const opening = this.#open();
    this.#opening = opening;
    opening.catch(() => {
      if (this.#opening === opening) this.#opening = null;
    });
    return opening;
  }

  /** Returns what is open, after waiting for an opening that has begun; null: nothing. Opens nothing. */
  async opened(): Promise<T | null> {
    return (await this.#opening?.catch(() => null)) ?? null;
  }
}
