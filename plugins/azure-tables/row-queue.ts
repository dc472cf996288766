import type { IndexedRow } from "agnes/catalog";

/** The service limits the operations and the size of one transaction. */
const BATCH_SIZE = 100;
const BATCH_LENGTH = 1_000_000;

/**
 * The minimum version to write to an index row, whose version only increases. A `record` of `null` means that the
 * record does not have this index value, or no longer has it.
 */
export interface WantedRow extends IndexedRow {
  readonly partitionKey: string;
  readonly rowKey: string;
  readonly values: Readonly<Record<string, string>>;
  /** Whether the row probably does not exist yet. */
  readonly isNew: boolean;
}

interface Queued {
  readonly row: WantedRow;
  readonly order: number;
}

/** Rows to write, by partition, because a transaction covers one partition. */
export class RowQueue {
  /** By partition and row key, oldest first. The next partition to write comes first. */
  readonly #partitions = new Map<string, Map<string, Queued>>();
  #order = 0;
  #due = 0;

  /** Adds a row, or replaces its pending version with a newer one. */
  add(row: WantedRow): void {
    const rows = this.#partitions.get(row.partitionKey) ?? new Map<string, Queued>();
    this.#partitions.set(row.partitionKey, rows);
    const pending = rows.get(row.rowKey);
    rows.set(row.rowKey, {
      // If the row did not exist for the pending version, it does not exist for the newer one.
      row: pending === undefined ? row : { ...row, isNew: pending.row.isNew },
      order: pending?.order ?? ++this.#order,
    });
  }

  /** Makes all current rows available to `take`, even if their batches are not full. */
  flush(): void {
    this.#due = this.#order;
  }

  /** Takes rows of one partition, oldest first: a full batch, or fewer if they are flushed. */
  take(): readonly WantedRow[] {
    for (const [partitionKey, rows] of this.#partitions) {
      const [oldest] = rows.values();
      if (rows.size < BATCH_SIZE && oldest!.order > this.#due) continue;
      const batch = batchOf(rows.values());
      for (const { rowKey } of batch) rows.delete(rowKey);
      // The next batch is of another partition, so that no partition waits for all rows of another.
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
