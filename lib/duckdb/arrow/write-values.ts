import native from "@duckdb/node-bindings";
import * as arrow from "apache-arrow";

import { checkDigits } from "./decimals.ts";
import { bufferOf, checkedValues, isNull, Malformed, scratch, writeNulls } from "./scratch.ts";

/** Copies rows `[from, from + count)` of Arrow data to the start of a DuckDB vector. */
export type Write = (vector: native.Vector, data: arrow.Data, from: number, count: number) => void;

type Integers = Int32Array | Uint32Array | Int16Array | Uint16Array;

/** Writes values with the same bytes in Arrow and DuckDB, `width` each. */
export const writeSame =
  (width: number): Write =>
  (vector, data, from, count) => {
    const values = data.values as Uint8Array | BigInt64Array;
    checkedValues(values, from, count, width / values.BYTES_PER_ELEMENT);
    const { buffer, start } = bufferOf(values);
    native.copy_data_to_vector(vector, 0, buffer, start + from * width, count * width);
    writeNulls(vector, data, from, count);
  };

/** Maps the eight booleans of a byte to eight bytes, in two words. */
const SPREAD = Uint32Array.from({ length: 512 }, (_, index) => {
  let word = 0;
  for (let bit = 0; bit < 4; bit++) word |= (((index >> 1) >> (bit + (index & 1) * 4)) & 1) << (8 * bit);
  return word >>> 0;
});

export const writeBool: Write = (vector, data, from, count) => {
  const bit = data.offset + from;
  const bits = checkedValues(data.values as Uint8Array, 0, (bit + count + 7) >> 3);
  const out = scratch(count + 8);
  if ((bit & 7) === 0) {
    const words = new Uint32Array(out, 0, ((count + 7) >> 3) * 2);
    for (let byte = bit >> 3, word = 0; word < words.length; byte++, word += 2) {
      const value = bits[byte]! << 1;
      words[word] = SPREAD[value]!;
      words[word + 1] = SPREAD[value + 1]!;
    }
  } else {
    const octets = new Uint8Array(out, 0, count);
    for (let row = 0; row < count; row++) octets[row] = (bits[(bit + row) >> 3]! >> ((bit + row) & 7)) & 1;
  }
  native.copy_data_to_vector(vector, 0, out, 0, count);
  writeNulls(vector, data, from, count);
};

/** Writes mapped 64-bit values. `map` returns null for a value that cannot be represented. */
export const writeMapped64 =
  <T extends number | bigint>(map: (value: T) => bigint | null): Write =>
  (vector, data, from, count) => {
    const values = checkedValues(data.values as unknown as ArrayLike<T>, from, count);
    const out = new BigInt64Array(scratch(count * 8), 0, count);
    for (let row = 0; row < count; row++) out[row] = exactValue(map(values[from + row]!), data, from + row);
    copyOut(vector, out, data, from, count);
  };

/** Returns a 64-bit value, 0 under a null. Rejects a value that would have to be rounded or truncated. */
function exactValue(value: bigint | null, data: arrow.Data, row: number): bigint {
  if (value !== null && BigInt.asIntN(64, value) === value) return value;
  if (isNull(data, row)) return 0n;
  const original = (data.values as unknown as ArrayLike<number | bigint>)[row];
  throw new Malformed(
    value === null
      ? `the value ${String(original)} has a fraction that the type of the column cannot represent`
      : `the value ${String(original)} is outside the range of the type of the column`,
  );
}

/** Writes half floats as floats. */
export const writeHalfFloat: Write = (vector, data, from, count) => {
  const values = checkedValues(data.values as Uint16Array, from, count);
  const out = new Float32Array(scratch(count * 4), 0, count);
  for (let row = 0; row < count; row++) out[row] = arrow.util.uint16ToFloat64(values[from + row]!);
  copyOut(vector, out, data, from, count);
};

const DAY_MS = 86_400_000n;

/** Writes dates in milliseconds as days. */
export const writeDateMillisecond: Write = (vector, data, from, count) => {
  const values = checkedValues(data.values as unknown as BigInt64Array, from, count);
  const out = new Int32Array(scratch(count * 4), 0, count);
  for (let row = 0; row < count; row++) {
    const day = Number(exactValue(divideExactly(values[from + row]!, DAY_MS), data, from + row));
    if (day !== (day | 0))
      throw new Malformed(`the value ${values[from + row]} is outside the range of dates`);
    out[row] = day;
  }
  copyOut(vector, out, data, from, count);
};

/** Writes decimals. DuckDB stores short ones in 2, 4 or 8 bytes; Arrow uses 4, 8, 16 or 32. */
export function writeDecimal(precision: number, bitWidth: number): Write {
  const width = precision <= 4 ? 2 : precision <= 9 ? 4 : precision <= 18 ? 8 : 16;
  const words = bitWidth / 32;
  const same = width === bitWidth / 8 ? writeSame(width) : null;
  return (vector, data, from, count) => {
    checkDigits(data, from, count, { precision, words });
    if (same !== null) return same(vector, data, from, count);
    const values = checkedValues(data.values as unknown as Uint32Array, from, count, words);
    const space = scratch(count * width);
    const out: Integers =
      width === 2 ? new Int16Array(space, 0, count) : new Uint32Array(space, 0, (count * width) / 4);
    const outWords = Math.max(1, width / 4);
    for (let row = 0, word = from * words; row < count; row++, word += words) {
      for (let index = 0; index < outWords; index++) {
        out[row * outWords + index] =
          index < words ? values[word + index]! : (values[word + words - 1]! | 0) >> 31;
      }
    }
    copyOut(vector, out, data, from, count);
  };
}

/** Writes intervals of months, days and microseconds in 16 bytes. `read` returns them for a row of the values. */
export const writeInterval =
  <T>(
    read: (values: T, row: number) => readonly [months: number, days: number, micros: bigint | null],
  ): Write =>
  (vector, data, from, count) => {
    const values = data.values as unknown as T;
    const space = scratch(count * 16);
    const small = new Int32Array(space, 0, count * 4);
    const large = new BigInt64Array(space, 0, count * 2);
    for (let row = 0; row < count; row++) {
      const [months, days, micros] = read(values, from + row);
      small[row * 4] = months;
      small[row * 4 + 1] = days;
      large[row * 2 + 1] = exactValue(micros, data, from + row);
    }
    native.copy_data_to_vector(vector, 0, space, 0, count * 16);
    writeNulls(vector, data, from, count);
  };

function copyOut(
  vector: native.Vector,
  out: ArrayBufferView,
  data: arrow.Data,
  from: number,
  count: number,
): void {
  native.copy_data_to_vector(vector, 0, out.buffer as ArrayBuffer, out.byteOffset, out.byteLength);
  writeNulls(vector, data, from, count);
}

/** Returns the quotient; null if there is a remainder. */
export function divideExactly(value: bigint, divisor: bigint): bigint | null {
  return value % divisor === 0n ? value / divisor : null;
}
