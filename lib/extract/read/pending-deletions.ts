import * as arrow from "apache-arrow";

import { AgnesError } from "../../base/mod.ts";
import { createRowBuilder, type Deletions, type TableInfo } from "../../kit/mod.ts";

/** Maximum number of pending keys. */
const KEYS_MAX = 100_000;

/** The table to read. */
export interface ReadTable extends Pick<TableInfo, "name" | "schema"> {
  /** `<source>.<name>`. */
  readonly id: string;
}

/**
 * Deletions of a read that are not applied yet.
 *
 * Pages of rows and deletions usually alternate and have no keys in common. Applying all deletions after the rows keeps
 * parts large.
 */
export class PendingDeletions {
  readonly #table: ReadTable;
  readonly #schema: arrow.Schema;
  readonly #known = new Set<string>();
  #batches: arrow.RecordBatch[] = [];

  /** @throws `deletions_without_key` */
  constructor(table: ReadTable, primaryKey: readonly string[]) {
    const { id, name } = table;
    if (primaryKey.length === 0) throw new AgnesError("deletions_without_key", { id, table: name });
    const fields = primaryKey.map((name) => {
      const field = table.schema.fields.find((one) => one.name === name)!;
      // A null key would match nothing, so it is an error.
      return new arrow.Field(name, field.type, false, field.metadata);
    });
    this.#table = table;
    this.#schema = new arrow.Schema(fields);
  }

  get isEmpty(): boolean {
    return this.#batches.length === 0;
  }

  get isFull(): boolean {
    return this.#known.size >= KEYS_MAX;
  }

  /** @throws `value_invalid` for an invalid key */
  add({ keys }: Deletions): void {
    const builder = createRowBuilder({ name: this.#table.name, schema: this.#schema });
    for (const batch of [...builder.append(keys), ...builder.finish()]) {
      this.#batches.push(batch);
      for (const text of this.#texts(batch)) this.#known.add(text);
    }
  }

  /** Whether a row of the batch may have one of the keys, so that the deletions must be applied before it. */
  meets(batch: arrow.RecordBatch): boolean {
    const isSameType = this.#schema.fields.every((field) => {
      const other = batch.schema.fields.find((one) => one.name === field.name);
      return other !== undefined && String(other.type) === String(field.type);
    });
    if (!isSameType) return true;
    for (const text of this.#texts(batch)) if (this.#known.has(text)) return true;
    return false;
  }

  /** Removes and returns all keys. */
  take(): readonly arrow.RecordBatch[] {
    const batches = this.#batches;
    this.#batches = [];
    this.#known.clear();
    return batches;
  }

  /** The key of each row as text. Equal keys have equal texts, but different keys may have equal texts too. */
  *#texts(batch: arrow.RecordBatch): Iterable<string> {
    const columns = this.#schema.fields.map((field) => batch.getChild(field.name)!);
    for (let row = 0; row < batch.numRows; row += 1) {
      let text = "";
      for (const column of columns) text += `${String(column.get(row))}\0`;
      yield text;
    }
  }
}
