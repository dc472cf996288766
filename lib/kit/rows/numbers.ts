import * as arrow from "apache-arrow";

import { isNot, Validity, type ColumnBuilder, type Reject } from "./column.ts";

const DIGITS = /^[+-]?\d+$/;
const NUMERAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const TWO_32 = 4_294_967_296;

/** Writes a safe integer as two 32-bit words, low word first. */
export function writeWords(words: Int32Array, at: number, value: number): void {
  words[at] = value | 0;
  words[at + 1] = value === (value | 0) ? value >> 31 : Math.floor(value / TWO_32);
}

/** 64-bit integers. */
export function int64Builder(type: arrow.Int64 | arrow.Uint64): ColumnBuilder {
  const signed = type.isSigned;
  const minimum = signed ? -(2n ** 63n) : 0n;
  const maximum = signed ? 2n ** 63n - 1n : 2n ** 64n - 1n;
  return (values, length, reject) => {
    const wide = signed ? new BigInt64Array(length) : new BigUint64Array(length);
    const words = new Int32Array(wide.buffer);
    const validity = new Validity(length);
    for (let i = 0; i < length; i += 1) {
      const value = values[i];
      if (typeof value === "number" && Number.isSafeInteger(value) && (signed || value >= 0)) {
        writeWords(words, i * 2, value);
      } else {
        const whole = value == null ? null : wholeNumber(value, i, reject);
        if (whole === null) validity.setNull(i);
        else if (whole >= minimum && whole <= maximum) wide[i] = whole;
        else {
          reject(i, value, `it does not fit into 64 bits${signed ? "" : " (unsigned)"}`);
          validity.setNull(i);
        }
      }
    }
    return arrow.makeData({ type, ...validity.parts(), data: wide } as never);
  };
}

/** 8-, 16- and 32-bit integers. */
export function intBuilder(type: arrow.Int): ColumnBuilder {
  const { bitWidth } = type;
  const minimum = type.isSigned ? -(2 ** (bitWidth - 1)) : 0;
  const maximum = 2 ** (type.isSigned ? bitWidth - 1 : bitWidth) - 1;
  return (values, length, reject) => {
    const data = new type.ArrayType(length) as unknown as Int32Array;
    const validity = new Validity(length);
    for (let i = 0; i < length; i += 1) {
      const value = values[i];
      if (typeof value === "number" && value >= minimum && value <= maximum && Number.isInteger(value)) {
        data[i] = value;
      } else {
        const whole = value == null ? null : wholeNumber(value, i, reject);
        if (whole === null) validity.setNull(i);
        else if (whole >= minimum && whole <= maximum) data[i] = Number(whole);
        else {
          reject(i, value, `it does not fit into ${bitWidth} bits${type.isSigned ? "" : " (unsigned)"}`);
          validity.setNull(i);
        }
      }
    }
    return arrow.makeData({ type, ...validity.parts(), data } as never);
  };
}

/** 32- and 64-bit floating point numbers. */
export function floatBuilder(type: arrow.Float32 | arrow.Float64): ColumnBuilder {
  return (values, length, reject) => {
    const data = new type.ArrayType(length);
    const validity = new Validity(length);
    for (let i = 0; i < length; i += 1) {
      const value = values[i];
      if (typeof value === "number") data[i] = value;
      else if (typeof value === "bigint") data[i] = Number(value);
      else if (typeof value === "string" && NUMERAL.test(value)) data[i] = Number(value);
      else {
        if (value != null)
          reject(i, value, typeof value === "string" ? "the text is not a number" : isNot("a number", value));
        validity.setNull(i);
      }
    }
    return arrow.makeData({ type, ...validity.parts(), data } as never);
  };
}

/** Booleans. */
export function boolBuilder(type: arrow.Bool): ColumnBuilder {
  return (values, length, reject) => {
    const data = new Uint8Array((length + 7) >> 3);
    const validity = new Validity(length);
    for (let i = 0; i < length; i += 1) {
      const value = values[i];
      if (value === true || value === 1 || value === "true") data[i >> 3]! |= 1 << (i & 7);
      else if (value !== false && value !== 0 && value !== "false") {
        if (value != null) reject(i, value, isNot("a boolean", value));
        validity.setNull(i);
      }
    }
    return arrow.makeData({ type, ...validity.parts(), data });
  };
}

/** Returns the value as an integer; rejects it and returns `null` if it is not one. */
function wholeNumber(value: unknown, index: number, reject: Reject): bigint | null {
  if (typeof value === "bigint") return value;
  if (typeof value === "string" && DIGITS.test(value)) return BigInt(value.replace("+", ""));
  if (typeof value === "number") {
    const unsafe = Number.isInteger(value) && !Number.isSafeInteger(value);
    if (!unsafe && Number.isInteger(value)) return BigInt(value);
    reject(
      index,
      value,
      unsafe ? "it is too large to be exact as a number; use a string or a bigint" : "it is not an integer",
    );
  } else {
    reject(
      index,
      value,
      typeof value === "string" ? "the text is not an integer" : isNot("an integer", value),
    );
  }
  return null;
}
