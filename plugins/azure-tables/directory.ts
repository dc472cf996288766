import type { TableGateway } from "./gateway.ts";

/** After this many failed lookups, it pays off to list all records. */
const MISSES = 16;
/** A catalog with more pages than this is not listed. */
const PAGES_MAX = 5;

/**
 * Tracks which records a catalog has, so that a new record costs no lookup. The records are listed once many lookups
 * have failed; later ones are added as they are applied.
 */
export class Directory {
  readonly #table: TableGateway;
  readonly #partitionKey: string;
  /** Row keys added before the listing is complete; pages may lack them. */
  readonly #added = new Set<string>();
  #known: Set<string> | null = null;
  #misses = 0;
  #isTooLarge = false;

  constructor(table: TableGateway, partitionKey: string) {
    this.#table = table;
    this.#partitionKey = partitionKey;
  }

  /** Whether the record is known not to exist. */
  lacks(rowKey: string): boolean {
    return this.#known !== null && !this.#known.has(rowKey);
  }

  /** Adds a written record. */
  add(rowKey: string): void {
    if (!this.#isTooLarge) (this.#known ?? this.#added).add(rowKey);
  }

  /** Counts a failed lookup. `drain` makes sure that all applied rows are written. */
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
      if (this.#isTooLarge) return this.#added.clear();
    }
    for (const rowKey of this.#added) found.add(rowKey);
    this.#added.clear();
    this.#known = found;
  }
}
