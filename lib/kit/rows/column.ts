import type * as arrow from "apache-arrow";

/** Says that the value at `index` does not fit; `path` leads into a nested one. */
export type Reject = (index: number, value: unknown, reason: string, path?: string) => void;

/**
 * Turns the first `length` values of a column into Arrow data of one type.
 *
 * Null and undefined become null. A value that does not fit is given to `reject` and becomes null too.
 */
export type ColumnBuilder = (values: readonly unknown[], length: number, reject: Reject) => arrow.Data;

/** The validity bitmap of a column, made only when the first null comes. */
export class Validity {
  readonly #length: number;
  #bits: Uint8Array | undefined;
  #nulls = 0;

  constructor(length: number) {
    this.#length = length;
  }

  setNull(index: number): void {
    this.#bits ??= new Uint8Array((this.#length + 7) >> 3).fill(0xff);
    this.#bits[index >> 3]! &= ~(1 << (index & 7));
    this.#nulls += 1;
  }

  /** What `arrow.makeData` takes of it. */
  parts(): { readonly length: number; readonly nullCount: number; readonly nullBitmap: Uint8Array | null } {
    return { length: this.#length, nullCount: this.#nulls, nullBitmap: this.#bits ?? null };
  }
}

/** What to say of a value of the wrong kind. */
export function isNo(expected: string, value: unknown): string {
  const kind = Array.isArray(value)
    ? "a list"
    : value instanceof Date
      ? "a Date"
      : typeof value === "object"
        ? "an object"
        : `a ${typeof value}`;
  return `${kind} is no ${expected}`;
}
