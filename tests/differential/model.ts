/** A value as it stands in a file. */
export type Cell =
  /** An empty field of CSV, a key that is missing, null. */
  | { readonly kind: "null" }
  /** A field of CSV, which has no type of its own. */
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "number"; readonly text: string }
  | { readonly kind: "boolean"; readonly text: string }
  /** A list or an object, as JSON. */
  | { readonly kind: "nested"; readonly text: string }
  /** A DATE of Parquet, as `2026-01-31`. */
  | { readonly kind: "day"; readonly text: string }
  /** A TIMESTAMP of Parquet, as `2026-01-31 10:00:00.123`. */
  | { readonly kind: "moment"; readonly text: string };

/** A value that is not null. */
export type HeldCell = Exclude<Cell, { readonly kind: "null" }>;

export interface WrittenColumn {
  readonly name: string;
  /** What was generated, for people. */
  readonly what: string;
}

export interface WrittenFile {
  /** Relative to the folder of the source. */
  readonly path: string;
  readonly bytes: Uint8Array;
  /** One list of cells for each row, in the order of the table's columns. */
  readonly rows: readonly (readonly Cell[])[];
}

/** A table as the reference writer wrote it. */
export interface WrittenTable {
  readonly seed: number;
  readonly name: string;
  readonly format: "csv" | "ndjson" | "json" | "parquet";
  /** What people would read of how it was written. */
  readonly dialect: string;
  readonly columns: readonly WrittenColumn[];
  readonly files: readonly WrittenFile[];
  /** The entry under `tables` in the options of the source, when the files alone do not define it. */
  readonly options: Readonly<Record<string, unknown>> | null;
  /** What is wrong with it, and where: null when every reader must read it. */
  readonly malformed: Malformed | null;
}

export interface Malformed {
  readonly what: string;
  readonly file: string;
  /** The lines of which the error may name one; null when it need not name any. */
  readonly lines: { readonly first: number; readonly last: number } | null;
}

/** A table as SQL shows it. */
export interface ReaderTable {
  /** Why it was refused, or null. */
  readonly error: string | null;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** Values as text: moments in UTC, nested values as JSON. */
  readonly rows: readonly (readonly (string | null)[])[];
}

/** Reads tables that were written; one answer for each, by name. */
export type Reader = (tables: readonly WrittenTable[]) => Promise<ReadonlyMap<string, ReaderTable>>;

export const NULL_CELL: Cell = { kind: "null" };

/** Numbers and choices from one seed. */
export class Dice {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** A whole number from `low` to `high`, both included. */
  whole(low: number, high: number): number {
    return low + Math.floor(this.#random() * (high - low + 1));
  }

  chance(share: number): boolean {
    return this.#random() < share;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.whole(0, items.length - 1)]!;
  }

  shuffle<T>(items: readonly T[]): readonly T[] {
    return items
      .map((item) => ({ item, at: this.#random() }))
      .sort((a, b) => a.at - b.at)
      .map(({ item }) => item);
  }

  digits(count: number): string {
    return Array.from({ length: count }, () => this.whole(0, 9)).join("");
  }
}
