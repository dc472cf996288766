import { counted } from "../../base/mod.ts";
import native from "@duckdb/node-bindings";
import type * as arrow from "apache-arrow";

/** An error of a malformed batch. The caller adds the column. */
export class Malformed extends Error {
  /** The hint, if the values are invalid and not the code that built the batch. */
  readonly advice: string | undefined;

  constructor(message: string, advice?: string) {
    super(message);
    this.advice = advice;
  }
}

let space = new ArrayBuffer(1 << 16);

/** Returns memory for the values of one vector. The next call reuses it, so copy the values before. */
export function scratch(sizeBytes: number): ArrayBuffer {
  if (sizeBytes > space.byteLength) space = new ArrayBuffer(Math.max(sizeBytes, space.byteLength * 2));
  return space;
}

/** Returns the buffer of a typed array. Shared memory is copied, because the bindings reject it. */
export function bufferOf(view: ArrayBufferView): { buffer: ArrayBuffer; start: number } {
  if (view.buffer instanceof ArrayBuffer) return { buffer: view.buffer, start: view.byteOffset };
  const copy = new Uint8Array(view.byteLength);
  copy.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  return { buffer: copy.buffer, start: 0 };
}

/** Checks that there are values for the rows `[from, from + count)`; `stride` is the number of elements per row. */
export function checkedValues<T extends { readonly length: number }>(
  values: T | undefined,
  from: number,
  count: number,
  stride = 1,
): T {
  if (values === undefined || values.length < (from + count) * stride) {
    throw new Malformed(`it has ${values?.length ?? 0} of ${counted((from + count) * stride, "value")}`);
  }
  return values;
}

/** Returns whether a row is null. `row` is relative to the start of the data. */
export function isNull(data: arrow.Data, row: number): boolean {
  const bitmap = data.nullBitmap as Uint8Array | undefined;
  if (data.nullCount === 0 || bitmap === undefined || bitmap.length === 0) return false;
  const bit = data.offset + row;
  return ((bitmap[bit >> 3]! >> (bit & 7)) & 1) === 0;
}

/** Writes the nulls of `[from, from + count)` to a DuckDB vector. Both bitmaps have the same layout. */
export function writeNulls(vector: native.Vector, data: arrow.Data, from: number, count: number): void {
  const bitmap = data.nullBitmap as Uint8Array | undefined;
  if (data.nullCount === 0 || bitmap === undefined || bitmap.length === 0 || count === 0) return;
  const bit = data.offset + from;
  const sizeBytes = (count + 7) >> 3;
  if (bitmap.length < (bit + count + 7) >> 3) throw new Malformed("its validity bitmap is too short");
  native.vector_ensure_validity_writable(vector);
  if ((bit & 7) === 0) {
    const { buffer, start } = bufferOf(bitmap);
    native.copy_data_to_vector_validity(vector, 0, buffer, start + (bit >> 3), sizeBytes);
    return;
  }
  const shifted = new Uint8Array(sizeBytes);
  const shift = bit & 7;
  for (let index = 0, byte = bit >> 3; index < sizeBytes; index++, byte++) {
    shifted[index] = (bitmap[byte]! >>> shift) | ((bitmap[byte + 1] ?? 0) << (8 - shift));
  }
  native.copy_data_to_vector_validity(vector, 0, shifted.buffer, 0, sizeBytes);
}

/** Sets the first `count` rows of a vector to null. */
export function writeAllNull(vector: native.Vector, count: number): void {
  const sizeBytes = (count + 7) >> 3;
  native.vector_ensure_validity_writable(vector);
  native.copy_data_to_vector_validity(vector, 0, new ArrayBuffer(sizeBytes), 0, sizeBytes);
}
