import type { TableGateway } from "./gateway.ts";

/** Looking up so many records in vain makes it worth while to know which there are. */
const MISSES = 16;
/** A catalog of more pages than this is not read for it. */
const PAGES_MAX = 5;

/**
 * Which records a catalog has, learnt once many were looked up in vain: then a new record costs no request
 * to find that it is new. Whatever comes later is told to it as it is applied.
 */
export class Directory {
  readonly #table: TableGateway;
  readonly #partitionKey: string;
  /** Row keys that came since the start; they may be missing in pages read before. */
  readonly #told = new Set<string>();
  #known: Set<string> | null = null;
  #misses = 0;
  #isTooLarge = false;

  constructor(table: TableGateway, partitionKey: string) {
    this.#table = table;
    this.#partitionKey = partitionKey;
  }

  /** Whether there is certainly no such record. */
  lacks(rowKey: string): boolean {
    return this.#known !== null && !this.#known.has(rowKey);
  }

  /** A record was written. */
  add(rowKey: string): void {
    if (!this.#isTooLarge) (this.#known ?? this.#told).add(rowKey);
  }

  /** A record was looked up in vain. `drain` makes sure that all that was applied is written. */
  async missed(drain: () => Promise<void>): Promise<void> {
    this.#misses += 1;
    if (this.#misses < MISSES || this.#isTooLarge || this.#known !== null) return;
    this.#misses = 0;
    await drain();
    const found = new Set<string>();
    let pages = 0;
    for await (const page of this.#table.query({ partitionKey: this.#partitionKey })) {
      for (const { rowKey } of page) found.add(rowKey);
      pages += 1;
      this.#isTooLarge = pages > PAGES_MAX;
      if (this.#isTooLarge) return this.#told.clear();
    }
    for (const rowKey of this.#told) found.add(rowKey);
    this.#told.clear();
    this.#known = found;
  }
}
