import { bigintAsText, counted } from "../../base/mod.ts";
import * as arrow from "apache-arrow";

import { isNot, Validity, type ColumnBuilder, type Reject } from "./column.ts";

const encoder = new TextEncoder();
/** From this size on the text is measured before it is copied: three bytes per character may not fit in memory. */
const LARGE_UNITS = 16 * 1024 * 1024;

/** Much faster than `HALF`, and most texts have neither. */
const SURROGATE = /[\ud800-\udfff]/;
/** Half of a surrogate pair, which UTF-8 would replace by U+FFFD, so that different keys could become the same. */
const HALF = /\p{Surrogate}/u;

/** Text. Numbers, booleans and Dates are converted to text; objects are rejected. */
export function textBuilder(type: arrow.Utf8 | arrow.LargeUtf8): ColumnBuilder {
  return textOf(type, (value, index, reject) => {
    if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") {
      return String(value);
    }
    if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString();
    reject(index, value, `${isNot("text", value)}; declare the column as json() to keep it`);
    return null;
  });
}

/** JSON text. Strings are kept unchanged; all other values are serialised, `bigint` as a string of digits. */
export function jsonBuilder(type: arrow.Utf8): ColumnBuilder {
  return textOf(type, (value, index, reject) => {
    const text = serialised(value);
    if (text !== undefined) return text;
    reject(index, value, "it cannot be serialised as JSON");
    return null;
  });
}

function serialised(value: unknown): string | undefined {
  try {
    return JSON.stringify(value, bigintAsText) as string | undefined;
  } catch {
    // It is circular, or its toJSON threw.
    return undefined;
  }
}

function textOf(
  type: arrow.Utf8 | arrow.LargeUtf8,
  toText: (value: unknown, index: number, reject: Reject) => string | null,
): ColumnBuilder {
  let isAscii = true;
  return (values, length, reject) => {
    const texts: string[] = [];
    const validity = new Validity(length);
    let units = 0;
    for (let i = 0; i < length; i += 1) {
      const value = values[i];
      const text = typeof value === "string" ? value : value == null ? null : toText(value, i, reject);
      if (text === null) validity.setNull(i);
      texts.push(text ?? "");
      units += text?.length ?? 0;
    }
    // A column with one multi-byte character probably has more, and a failed attempt costs as much as the encoding.
    const ascii = isAscii && units < LARGE_UNITS ? asciiBytes(texts, units) : undefined;
    isAscii = ascii !== undefined || units >= LARGE_UNITS;
    if (ascii === undefined) {
      for (let i = 0; i < length; i += 1) {
        if (!SURROGATE.test(texts[i]!) || !HALF.test(texts[i]!)) continue;
        reject(i, values[i], "it contains half of a surrogate pair, which is not Unicode text");
        validity.setNull(i);
        texts[i] = "";
      }
    }
    const { bytes, offsets } = ascii ?? utf8Bytes(texts, units);
    const valueOffsets = arrow.DataType.isLargeUtf8(type) ? BigInt64Array.from(offsets, BigInt) : offsets;
    return arrow.makeData({ type, ...validity.parts(), valueOffsets, data: bytes } as never);
  };
}

interface EncodedTexts {
  readonly bytes: Uint8Array;
  readonly offsets: Int32Array;
}

/** Encodes all texts in one call if every character is one byte; otherwise `undefined`. */
function asciiBytes(texts: readonly string[], units: number): EncodedTexts | undefined {
  const bytes = new Uint8Array(units);
  // With a multi-byte character, the last characters do not fit.
  if (encoder.encodeInto(texts.join(""), bytes).read !== units) return undefined;
  const offsets = new Int32Array(texts.length + 1);
  for (let i = 0, at = 0; i < texts.length; i += 1) offsets[i + 1] = at += texts[i]!.length;
  return { bytes, offsets };
}

function utf8Bytes(texts: readonly string[], units: number): EncodedTexts {
  const sizeBytesMax =
    units < LARGE_UNITS ? units * 3 : texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const bytes = new Uint8Array(sizeBytesMax);
  const offsets = new Int32Array(texts.length + 1);
  let at = 0;
  for (let i = 0; i < texts.length; i += 1) {
    const text = texts[i]!;
    let read = 0;
    for (; read < text.length; read += 1) {
      const code = text.charCodeAt(read);
      if (code > 127) break;
      bytes[at] = code;
      at += 1;
    }
    if (read < text.length) at += encoder.encodeInto(text.slice(read), bytes.subarray(at)).written;
    offsets[i + 1] = at;
  }
  return { bytes: at === sizeBytesMax ? bytes : bytes.slice(0, at), offsets };
}

/** Bytes. */
export function binaryBuilder(type: arrow.Binary | arrow.FixedSizeBinary): ColumnBuilder {
  const width = arrow.DataType.isFixedSizeBinary(type) ? type.byteWidth : undefined;
  return (values, length, reject) => {
    const pieces: Uint8Array[] = [];
    const offsets = new Int32Array(length + 1);
    const validity = new Validity(length);
    let at = 0;
    for (let i = 0; i < length; i += 1) {
      const value = values[i];
      const piece = value instanceof ArrayBuffer ? new Uint8Array(value) : value;
      if (piece instanceof Uint8Array && (width === undefined || piece.byteLength === width)) {
        pieces.push(piece);
        at += piece.byteLength;
      } else {
        const wrongWidth =
          piece instanceof Uint8Array ? `it has ${counted(piece.byteLength, "byte")}, not ${width}` : null;
        if (value != null) reject(i, value, wrongWidth ?? isNot("a Uint8Array", value));
        validity.setNull(i);
        if (width !== undefined) pieces.push(new Uint8Array(width));
      }
      offsets[i + 1] = at;
    }
    const data = new Uint8Array(Buffer.concat(pieces));
    return width === undefined
      ? arrow.makeData({ type, ...validity.parts(), valueOffsets: offsets, data } as never)
      : arrow.makeData({ type, ...validity.parts(), data } as never);
  };
}
