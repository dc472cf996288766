import type * as arrow from "apache-arrow";

/** Rejects the value at `index`; `path` locates a nested value. */
export type Reject = (index: number, value: unknown, reason: string, path?: string) => void;

/**
 * Turns the first `length` values of a column into Arrow data of one type.
 *
 * Null and undefined become null. An invalid value is passed to `reject` and becomes null too.
 */
export type ColumnBuilder = (values: readonly unknown[], length: number, reject: Reject) => arrow.Data;

/** The validity bitmap of a column, created at the first null. */
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

  /** The validity options of `arrow.makeData`. */
  parts(): { readonly length: number; readonly nullCount: number; readonly nullBitmap: Uint8Array | null } {
    return { length: this.#length, nullCount: this.#nulls, nullBitmap: this.#bits ?? null };
  }
}

/** Returns the reason for rejecting a value of the wrong kind. */
export function isNot(expected: string, value: unknown): string {
  const kind = Array.isArray(value)
    ? "a list"
    : value instanceof Date
      ? "a Date"
      : typeof value === "object"
        ? "an object"
        : `a ${typeof value}`;
  return `${kind} is not ${expected}`;
}
