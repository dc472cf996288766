import { counted } from "../../base/mod.ts";
import { isUtf8 } from "node:buffer";

import native from "@duckdb/node-bindings";
import type * as arrow from "apache-arrow";

import { bufferOf, checkedValues, isNull, Malformed, scratch, writeNulls } from "./scratch.ts";

/**
 * Contiguous texts or bytes: value `i` is `bytes[offsets[start + i] … offsets[start + i + 1])`.
 *
 * DuckDB's format has 16 bytes per value: the length, followed by up to 12 bytes of content, or by the first four bytes
 * and a pointer. One call copies all bytes of a slice into the heap of the vector, and another one the 16-byte records,
 * which are built here.
 */
export interface Strings {
  readonly bytes: Uint8Array;
  readonly offsets: ArrayLike<number>;
  readonly start: number;
  readonly count: number;
  /** Whether the bytes must be UTF-8. */
  readonly text: boolean;
}

const INLINE_BYTES = 12;
const FORM_BYTES = 16;

/** Writes a Utf8, LargeUtf8, Binary or LargeBinary column. */
export function writeStrings(
  vector: native.Vector,
  data: arrow.Data,
  from: number,
  count: number,
  text: boolean,
): void {
  const offsets = checkedValues(data.valueOffsets as ArrayLike<number | bigint>, from, count + 1);
  const bytes = (data.values as Uint8Array | undefined) ?? new Uint8Array();
  const strings: Strings =
    typeof offsets[0] === "bigint"
      ? { bytes, text, count, start: 0, offsets: narrow(offsets as ArrayLike<bigint>, from, count) }
      : { bytes, text, count, start: from, offsets: offsets as ArrayLike<number> };
  if (!assignStrings(vector, strings)) {
    // The bytes under a null may be invalid.
    const valid = data.nullCount > 0 ? withoutNulls(strings, data, from) : null;
    if (valid === null || !assignStrings(vector, valid)) throw new Malformed("a text is not valid UTF-8");
  }
  writeNulls(vector, data, from, count);
}

/** Writes a FixedSizeBinary column. */
export function writeFixedBinary(
  vector: native.Vector,
  data: arrow.Data,
  from: number,
  count: number,
  width: number,
): void {
  const bytes = checkedValues(data.values as Uint8Array, from, count, width);
  const offsets = Float64Array.from({ length: count + 1 }, (_, index) => (from + index) * width);
  assignStrings(vector, { bytes, offsets, start: 0, count, text: false });
  writeNulls(vector, data, from, count);
}

/** Writes strings to a vector; returns `false`, with the vector unusable, if a text is not UTF-8. */
export function assignStrings(vector: native.Vector, strings: Strings): boolean {
  const { bytes, offsets, start, count, text } = strings;
  const first = offsets[start]!;
  const last = offsets[start + count]!;
  if (!(first >= 0 && last >= first && last <= bytes.length)) {
    throw new Malformed(`its offsets ${first} to ${last} are outside its ${counted(bytes.length, "byte")}`);
  }
  const heap = copyToHeap(vector, bytes.subarray(first, last), text);
  if (heap === null) return false;
  const forms = scratch(count * FORM_BYTES);
  const words = new Uint32Array(forms, 0, count * 4);
  const octets = new Uint8Array(forms, 0, count * FORM_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let position = first;
  for (let row = 0, word = 0; row < count; row++, word += 4) {
    const end = offsets[start + row + 1]!;
    const length = end - position;
    if (length < 0 || end > last) throw new Malformed("its offsets do not ascend");
    // The whole slice is UTF-8, so a value is too unless it starts inside a character.
    if (text && length > 0 && (bytes[position]! & 0xc0) === 0x80) return false;
    words[word] = length;
    if (length <= INLINE_BYTES) {
      words[word + 1] = 0;
      words[word + 2] = 0;
      words[word + 3] = 0;
      const shift = (word << 2) + 4 - position;
      for (let byte = position; byte < end; byte++) octets[shift + byte] = bytes[byte]!;
    } else {
      const low = heap.low + (position - first);
      words[word + 1] = view.getUint32(position, true);
      words[word + 2] = low;
      words[word + 3] = heap.high + (low >= 2 ** 32 ? 1 : 0);
    }
    position = end;
  }
  native.copy_data_to_vector(vector, 0, forms, 0, count * FORM_BYTES);
  return true;
}

/** Copies bytes to the heap of a vector and returns both halves of the address; `null` if they are not UTF-8. */
function copyToHeap(
  vector: native.Vector,
  bytes: Uint8Array,
  text: boolean,
): { low: number; high: number } | null {
  if (bytes.length <= INLINE_BYTES) return !text || isUtf8(bytes) ? { low: 0, high: 0 } : null;
  const { buffer, start } = bufferOf(bytes);
  native.vector_assign_string_element_len(vector, 0, new Uint8Array(buffer, start, bytes.length));
  const form = native.vector_get_data(vector, FORM_BYTES);
  const view = new DataView(form.buffer, form.byteOffset, FORM_BYTES);
  if (view.getUint32(0, true) !== bytes.length) {
    if (text) return null;
    throw new Malformed("DuckDB did not accept its bytes");
  }
  return { low: view.getUint32(8, true), high: view.getUint32(12, true) };
}

function narrow(offsets: ArrayLike<bigint>, from: number, count: number): Float64Array {
  return Float64Array.from({ length: count + 1 }, (_, index) => Number(offsets[from + index]));
}

function withoutNulls(strings: Strings, data: arrow.Data, from: number): Strings {
  const { bytes, offsets, start, count, text } = strings;
  return gather(count, text, (row) =>
    isNull(data, from + row) ? EMPTY : bytes.subarray(offsets[start + row]!, offsets[start + row + 1]!),
  );
}

const EMPTY = new Uint8Array();

/** Copies scattered values into contiguous memory. */
export function gather(count: number, text: boolean, value: (row: number) => Uint8Array): Strings {
  const values = Array.from({ length: count }, (_, row) => value(row));
  const offsets = new Float64Array(count + 1);
  for (let row = 0; row < count; row++) offsets[row + 1] = offsets[row]! + values[row]!.length;
  const bytes = new Uint8Array(offsets[count]!);
  for (let row = 0; row < count; row++) bytes.set(values[row]!, offsets[row]);
  return { bytes, offsets, start: 0, count, text };
}
