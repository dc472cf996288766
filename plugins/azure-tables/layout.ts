import { createHash } from "node:crypto";

import type { IndexValue, LogEntry, LoggedChange } from "agnes/catalog";

import { encodeKey } from "./key-text.ts";
import type { WantedRow } from "./row-writer.ts";

// A key holds 512 characters; these leave room for each other.
const CATALOG_LENGTH = 100;
const FIELD_LENGTH = 100;
const VALUE_LENGTH = 200;
export const ROW_LENGTH = 300;

/** The values of one index spread over so many partitions; all rows of one value are in the same. */
const BUCKETS = 8;
/** Entries of the log in one partition. */
export const LOG_BLOCK = 1000;

/** Where everything of one catalog is. */
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
    return this.#indexKeys.flatMap((field) =>
      Array.from({ length: BUCKETS }, (_, bucket) => this.#indexPartition(field, bucket)),
    );
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

  /** The partition that holds all rows of an index value, and what their row keys begin with. */
  value(field: string, value: IndexValue): { readonly partitionKey: string; readonly prefix: string } {
    const text = JSON.stringify(value);
    const bucket = createHash("sha256").update(text).digest()[0]! % BUCKETS;
    return { partitionKey: this.#indexPartition(field, bucket), prefix: `${encodeKey(text, VALUE_LENGTH)}-` };
  }

  /** What the rows of the indexes should say after an entry. */
  rows(entry: LogEntry): readonly WantedRow[] {
    return entry.changes.flatMap((change) => this.#rowsOf(change, entry.sequence));
  }

  #rowsOf({ key, before, after, previous }: LoggedChange, version: number): readonly WantedRow[] {
    const rows: WantedRow[] = [{ ...this.record(key), key, version, record: after, isNew: previous === 0 }];
    for (const field of this.#indexKeys) {
      const [was, is] = [before, after].map((record) =>
        record === null ? null : this.value(field, record[field] as IndexValue),
      );
      const moved = was?.partitionKey !== is?.partitionKey || was?.prefix !== is?.prefix;
      if (is != null) rows.push({ ...this.#at(is, key), key, version, record: after, isNew: moved });
      if (was != null && moved)
        rows.push({ ...this.#at(was, key), key, version, record: null, isNew: false });
    }
    return rows;
  }

  #at(
    value: { readonly partitionKey: string; readonly prefix: string },
    key: string,
  ): { readonly partitionKey: string; readonly rowKey: string } {
    return { partitionKey: value.partitionKey, rowKey: value.prefix + encodeKey(key, ROW_LENGTH) };
  }

  #indexPartition(field: string, bucket: number): string {
    return `${this.#catalog}-by-${encodeKey(field, FIELD_LENGTH)}-${bucket}`;
  }
}
