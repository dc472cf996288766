import type { IndexedRow } from "agnes/catalog";

/** The service takes at most so many operations in one transaction, and so much text. */
const BATCH_SIZE = 100;
const BATCH_LENGTH = 1_000_000;

/**
 * What one row of an index should say at least: a row only ever moves to a greater version. Without a record
 * it says that the record is not, or no longer, here.
 */
export interface WantedRow extends IndexedRow {
  readonly partitionKey: string;
  readonly rowKey: string;
  readonly values: Readonly<Record<string, string>>;
  /** Whether there is probably no such row yet. */
  readonly isNew: boolean;
}

interface Queued {
  readonly row: WantedRow;
  readonly turn: number;
}

/** Rows to be written, by partition: they travel in transactions, which are of one partition each. */
export class RowQueue {
  /** By partition and row key, oldest first. The partition whose turn is next comes first. */
  readonly #partitions = new Map<string, Map<string, Queued>>();
  #turn = 0;
  #due = 0;

  /** Adds a row, or puts a newer version in the place of the one that waits. */
  add(row: WantedRow): void {
    const rows = this.#partitions.get(row.partitionKey) ?? new Map<string, Queued>();
    this.#partitions.set(row.partitionKey, rows);
    const there = rows.get(row.rowKey);
    rows.set(row.rowKey, {
      // What is not there yet is not there for the newer version either.
      row: there === undefined ? row : { ...row, isNew: there.row.isNew },
      turn: there?.turn ?? ++this.#turn,
    });
  }

  /** Lets what is here now be taken, whether more comes to travel with it or not. */
  flush(): void {
    this.#due = this.#turn;
  }

  /** Rows of one partition, oldest first: a full batch, or fewer when they were flushed; none when there are none. */
  take(): readonly WantedRow[] {
    for (const [partitionKey, rows] of this.#partitions) {
      const [oldest] = rows.values();
      if (rows.size < BATCH_SIZE && oldest!.turn > this.#due) continue;
      const batch = batchOf(rows.values());
      for (const { rowKey } of batch) rows.delete(rowKey);
      // The next batch is of another partition, so that none waits for all of one before.
      this.#partitions.delete(partitionKey);
      if (rows.size > 0) this.#partitions.set(partitionKey, rows);
      return batch;
    }
    return [];
  }
}

function batchOf(rows: Iterable<Queued>): readonly WantedRow[] {
  const batch: WantedRow[] = [];
  let length = 0;
  for (const { row } of rows) {
    length += Object.values(row.values).reduce((sum, text) => sum + text.length, row.rowKey.length + 100);
    if (batch.length === BATCH_SIZE || (batch.length > 0 && length > BATCH_LENGTH)) break;
    batch.push(row);
  }
  return batch;
}
