import type { WantedRow } from "./row-writer.ts";

/** The service takes at most so many operations in one transaction, and so much text. */
const BATCH_SIZE = 100;
const BATCH_LENGTH = 1_000_000;

/** Rows in the order they came, taken in portions that can be written together. */
export class RowQueue {
  /** New rows by partition: they travel in transactions, which are of one partition each. */
  readonly #created = new Map<string, WantedRow[]>();
  /** Rows to compare and set, one by one. */
  readonly #raised: WantedRow[] = [];

  add(row: WantedRow): void {
    if (!row.isNew) {
      this.#raised.push(row);
      return;
    }
    const there = this.#created.get(row.partitionKey);
    if (there === undefined) this.#created.set(row.partitionKey, [row]);
    else there.push(row);
  }

  /** Rows of one partition to create, or one row to compare and set; none when there are none, or only too few. */
  take(least: "full" | "any"): readonly WantedRow[] {
    for (const [partitionKey, rows] of this.#created) {
      if (least === "full" && rows.length < BATCH_SIZE) continue;
      const batch = rows.splice(0, batchSize(rows));
      // The next portion is of another partition, so that none waits for all of one before.
      this.#created.delete(partitionKey);
      if (rows.length > 0) this.#created.set(partitionKey, rows);
      return batch;
    }
    return this.#raised.splice(0, 1);
  }
}

function batchSize(rows: readonly WantedRow[]): number {
  let length = 0;
  for (const [at, row] of rows.entries()) {
    length += Object.values(row.values).reduce((sum, text) => sum + text.length, row.rowKey.length + 100);
    if (at === BATCH_SIZE || (at > 0 && length > BATCH_LENGTH)) return at;
  }
  return rows.length;
}
