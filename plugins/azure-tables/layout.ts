import type { IndexValue, LogEntry, LoggedChange } from "agnes/catalog";

import { encodeKey } from "./key-text.ts";
import type { WantedRow } from "./row-queue.ts";
import { toValues } from "./row-writer.ts";

// The limit of a key is 512 characters; together these parts fit.
const CATALOG_LENGTH = 100;
const FIELD_LENGTH = 100;
const VALUE_LENGTH = 200;
export const ROW_LENGTH = 300;

/** Entries of the log in one partition. */
export const LOG_BLOCK = 1000;

/** The partition and row keys of one catalog. */
export class Layout {
  readonly #catalog: string;
  readonly #indexKeys: readonly string[];

  constructor(catalog: string, indexKeys: readonly string[]) {
    this.#catalog = encodeKey(catalog, CATALOG_LENGTH);
    this.#indexKeys = indexKeys;
  }

  /** The partition of the schema and the checkpoint. */
  get meta(): string {
    return `${this.#catalog}-meta`;
  }

  /** The partition of the rows by row key. */
  get records(): string {
    return `${this.#catalog}-row`;
  }

  /** All partitions of the indexes. */
  get indexes(): readonly string[] {
    return this.#indexKeys.map((field) => this.#indexPartition(field));
  }

  /** The partition and row key of an entry of the log. */
  entry(sequence: number): { readonly partitionKey: string; readonly rowKey: string } {
    const block = String(Math.floor((sequence - 1) / LOG_BLOCK)).padStart(9, "0");
    return { partitionKey: `${this.#catalog}-log-${block}`, rowKey: String(sequence).padStart(15, "0") };
  }

  /** The partition of the row of a record by its key, and its row key. */
  record(key: string): { readonly partitionKey: string; readonly rowKey: string } {
    return { partitionKey: this.records, rowKey: encodeKey(key, ROW_LENGTH) };
  }

  /**
   * The partition of an index, and the prefix of the row keys of one value. An index is one partition so that rows are
   * written in batches. The service accepts 2,000 rows a second per partition, more than one log produces.
   */
  value(field: string, value: IndexValue): { readonly partitionKey: string; readonly prefix: string } {
    const prefix = `${encodeKey(JSON.stringify(value), VALUE_LENGTH)}-`;
    return { partitionKey: this.#indexPartition(field), prefix };
  }

  /** The index rows to write for an entry. */
  rows(entry: LogEntry): readonly WantedRow[] {
    return entry.changes.flatMap((change) => this.#rowsOf(change, entry.sequence));
  }

  #rowsOf({ key, before, after, previous }: LoggedChange, version: number): readonly WantedRow[] {
    // All rows of a record have the same content, so it is encoded once.
    const present = { key, version, record: after, values: toValues({ key, version, record: after }) };
    const absent = () => ({ key, version, record: null, values: toValues({ key, version, record: null }) });
    const rows: WantedRow[] = [{ ...this.record(key), ...present, isNew: previous === 0 }];
    for (const field of this.#indexKeys) {
      const [was, is] = [before, after].map((record) =>
        record === null ? null : this.value(field, record[field] as IndexValue),
      );
      const moved = was?.prefix !== is?.prefix;
      if (is != null) rows.push({ ...this.#at(is, key), ...present, isNew: moved });
      if (was != null && moved) rows.push({ ...this.#at(was, key), ...absent(), isNew: false });
    }
    return rows;
  }

  #at(
    value: { readonly partitionKey: string; readonly prefix: string },
    key: string,
  ): { readonly partitionKey: string; readonly rowKey: string } {
    return { partitionKey: value.partitionKey, rowKey: value.prefix + encodeKey(key, ROW_LENGTH) };
  }

  #indexPartition(field: string): string {
    return `${this.#catalog}-by-${encodeKey(field, FIELD_LENGTH)}`;
  }
}
