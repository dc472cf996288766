import { Buffer } from "node:buffer";

import * as arrow from "apache-arrow";

import { bigintAsText } from "../../base/mod.ts";
import { isNull } from "../arrow/scratch.ts";
import { writeDay, writeTimestamp, writeTimeOfDay } from "./timestamp.ts";
import type { TextWriter } from "./text-writer.ts";

/** Writes the non-null value of a row. */
export type ValueWriter = (out: TextWriter, row: number) => void;

/** JSON values, with numbers that a double does not represent exactly as strings, or with all finite numbers as numbers. */
export type JsonStyle = "json" | "json_numbers";

/** The format of values: JSON, or without quotes for CSV. */
export type Style = JsonStyle | "bare";

/** Returns a writer of the JSON value of any row, including nulls. */
export function jsonWriter(data: arrow.Data, style: JsonStyle = "json"): ValueWriter {
  const write = scalarWriter(data, style) ?? nestedWriter(data, style);
  if (data.nullCount === 0) return write;
  return (out, row) => (isNull(data, row) ? out.ascii("null") : write(out, row));
}

/** Returns a writer of scalar values; `null` for text and nested values. */
export function scalarWriter(data: arrow.Data, style: Style): ValueWriter | null {
  const { DataType } = arrow;
  const type = data.type as arrow.DataType;
  if (DataType.isNull(type)) return (out) => out.ascii("null");
  if (DataType.isBool(type)) {
    const bits = data.values as Uint8Array;
    return (out, row) => {
      const bit = data.offset + row;
      out.ascii(((bits[bit >> 3]! >> (bit & 7)) & 1) === 1 ? "true" : "false");
    };
  }
  if (DataType.isInt(type) && type.bitWidth < 64) {
    const values = data.values as Int32Array;
    return (out, row) => out.integer(values[row]!);
  }
  if (DataType.isInt(type)) {
    const values = data.values as unknown as BigInt64Array;
    const words = wordsOf(values);
    const { isSigned } = type;
    return (out, row) => {
      const number = safeNumber(words, row * 2);
      if (Number.isNaN(number) || (number < 0 && !isSigned)) writeInteger(out, values[row]!, style);
      else out.integer(number);
    };
  }
  if (DataType.isFloat(type)) return floatWriter(data, type, style);
  if (DataType.isDecimal(type)) return decimalWriter(data, type, style);
  const temporal = temporalWriter(data);
  return temporal === null || style === "bare" ? temporal : quoted(temporal);
}

const quoted =
  (write: ValueWriter): ValueWriter =>
  (out, row) => {
    out.byte(34);
    write(out, row);
    out.byte(34);
  };

const wordsOf = (values: BigInt64Array) =>
  new Int32Array(values.buffer, values.byteOffset, values.length * 2);

/** Returns the 64-bit number in two words if a double can represent it, otherwise NaN. Avoids slow big integers. */
function safeNumber(words: Int32Array, index: number): number {
  const high = words[index + 1]!;
  return high >= -0x20_0000 && high < 0x20_0000 ? high * 2 ** 32 + (words[index]! >>> 0) : Number.NaN;
}

/** Writes a safe integer as a number, and other integers as text, so that every reader gets them exactly. */
function writeInteger(out: TextWriter, value: bigint, style: Style): void {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return out.integer(number);
  out.ascii(style === "json" ? `"${value}"` : String(value));
}

function floatWriter(data: arrow.Data, type: arrow.Float, style: Style): ValueWriter {
  const values = data.values as Float64Array;
  const half = type.precision === arrow.Precision.HALF;
  const single = type.precision === arrow.Precision.SINGLE;
  return (out, row) => {
    const value = half ? arrow.util.uint16ToFloat64(values[row]!) : values[row]!;
    if (!Number.isFinite(value)) return out.ascii(style === "bare" ? String(value) : `"${value}"`);
    if (!single && writeShortDecimal(out, value)) return;
    // The shortest text with the same 32-bit value: 0.1, not 0.10000000149011612.
    out.ascii(Object.is(value, -0) ? "-0" : single ? shortest(value) : String(value));
  };
}

/**
 * Writes a double that is the nearest one to a decimal of few digits, several times faster than `String`. With at most 15
 * digits there is only one such decimal, so that it is the shortest text. @returns whether it did
 */
function writeShortDecimal(out: TextWriter, value: number): boolean {
  for (let scale = 0, unit = 1; scale <= SHORT_SCALE; scale++, unit *= 10) {
    const scaled = value * unit;
    if (Math.abs(scaled) >= 10 ** EXACT_DIGITS || Object.is(scaled, -0)) return false;
    if (!Number.isInteger(scaled) || scaled / unit !== value) continue;
    // An earlier product was rounded.
    if (scale > 0 && scaled % 10 === 0) return false;
    writeScaled(out, scaled, unit, scale);
    return true;
  }
  return false;
}

/** The digits after the point for which it is worth looking. */
const SHORT_SCALE = 3;

function shortest(value: number): string {
  for (let digits = 6; digits < 9; digits++) {
    const text = String(Number(value.toPrecision(digits)));
    if (Math.fround(Number(text)) === value) return text;
  }
  return String(value);
}

/** A double preserves all decimals with at most this many digits. */
const EXACT_DIGITS = 15;

function decimalWriter(data: arrow.Data, type: arrow.Decimal, style: Style): ValueWriter {
  const words = data.values as unknown as Uint32Array;
  const count = type.bitWidth / 32;
  const signed32 = new Int32Array(words.buffer, words.byteOffset, words.length);
  const unit = 10 ** type.scale;
  const simple = count === 4 && type.scale >= 0 && type.scale <= EXACT_DIGITS;
  return (out, row) => {
    if (simple) {
      const high = signed32[row * 4 + 1]! >> 31;
      const short = signed32[row * 4 + 2] === high && signed32[row * 4 + 3] === high;
      const number = short ? safeNumber(signed32, row * 4) : Number.NaN;
      if (Math.abs(number) < 10 ** EXACT_DIGITS) return writeScaled(out, number, unit, type.scale);
    }
    let value = BigInt(words[row * count + count - 1]! | 0);
    for (let word = count - 2; word >= 0; word--) value = (value << 32n) | BigInt(words[row * count + word]!);
    const digits = (value < 0n ? -value : value).toString();
    const whole = digits.padStart(type.scale + 1, "0");
    const text =
      type.scale <= 0
        ? digits + "0".repeat(-type.scale)
        : `${whole.slice(0, -type.scale)}.${whole.slice(-type.scale)}`;
    const signed = value < 0n ? `-${text}` : text;
    const exact = digits.length <= EXACT_DIGITS || style !== "json" || isSafe(type, value);
    out.ascii(exact ? signed : `"${signed}"`);
  };
}

function writeScaled(out: TextWriter, value: number, unit: number, scale: number): void {
  const positive = Math.abs(value);
  const whole = Math.floor(positive / unit);
  if (value < 0) out.byte(45);
  out.integer(whole);
  if (scale === 0) return;
  out.byte(46);
  out.digits(positive - whole * unit, scale);
}

const isSafe = (type: arrow.Decimal, value: bigint) =>
  type.scale === 0 && Number.isSafeInteger(Number(value));

const DIGITS_OF_UNIT = [0, 3, 6, 9] as const;

function temporalWriter(data: arrow.Data): ValueWriter | null {
  const { DataType } = arrow;
  const type = data.type as arrow.DataType;
  if (DataType.isDate(type)) {
    const days = data.values as Int32Array;
    if (type.unit === arrow.DateUnit.DAY) {
      return (out, row) => {
        if (!writeInfinity(out, days[row]!, 2 ** 31 - 1)) writeDay(out, days[row]!);
      };
    }
    const millis = data.values as unknown as BigInt64Array;
    return (out, row) => writeDay(out, Math.floor(Number(millis[row]!) / 86_400_000));
  }
  if (DataType.isTime(type)) {
    const values = data.values as unknown as ArrayLike<number | bigint>;
    const digits = DIGITS_OF_UNIT[type.unit];
    return (out, row) => {
      const { seconds, fraction } = split(values[row]!, digits);
      writeTimeOfDay(out, seconds, fraction, digits);
    };
  }
  if (!DataType.isTimestamp(type)) return null;
  const values = data.values as unknown as BigInt64Array;
  const words = wordsOf(values);
  const digits = DIGITS_OF_UNIT[type.unit];
  const zoned = type.timezone != null && type.timezone !== "";
  return (out, row) => {
    const number = safeNumber(words, row * 2);
    const value = Number.isNaN(number) ? values[row]! : number;
    if (typeof value === "bigint" && writeInfinity(out, value, FOREVER)) return;
    const { seconds, fraction } = split(value, digits);
    writeTimestamp(out, seconds, fraction, digits);
    if (zoned) out.byte(90);
  };
}

const FOREVER = 2n ** 63n - 1n;

/** Writes DuckDB's infinite dates and timestamps; returns false for other values. */
function writeInfinity(out: TextWriter, value: number | bigint, greatest: number | bigint): boolean {
  if (value !== greatest && value !== -greatest) return false;
  out.ascii(value < 0 ? "-infinity" : "infinity");
  return true;
}

function split(value: number | bigint, digits: number): { seconds: number; fraction: number } {
  const number = Number(value);
  const unit = 10 ** digits;
  if (Number.isSafeInteger(number)) {
    const seconds = Math.floor(number / unit);
    return { seconds, fraction: number - seconds * unit };
  }
  const fraction = BigInt.asIntN(64, BigInt(value)) % BigInt(unit);
  const positive = fraction < 0n ? fraction + BigInt(unit) : fraction;
  return { seconds: Number((BigInt(value) - positive) / BigInt(unit)), fraction: Number(positive) };
}

/** Returns the bytes of a text column; `null` for other columns. */
export function textParts(
  data: arrow.Data,
): { readonly bytes: Uint8Array; readonly offsets: ArrayLike<number | bigint> } | null {
  const type = data.type as arrow.DataType;
  if (!arrow.DataType.isUtf8(type) && !arrow.DataType.isLargeUtf8(type)) return null;
  return { bytes: data.values as Uint8Array, offsets: data.valueOffsets as ArrayLike<number | bigint> };
}

function nestedWriter(data: arrow.Data, style: JsonStyle): ValueWriter {
  const { DataType } = arrow;
  const type = data.type as arrow.DataType;
  const text = textParts(data);
  if (text !== null) {
    const { bytes, offsets } = text;
    return (out, row) => out.jsonString(bytes, Number(offsets[row]), Number(offsets[row + 1]));
  }
  if (DataType.isStruct(type)) return recordWriter(data, type, style);
  if (DataType.isMap(type) || DataType.isList(type) || DataType.isFixedSizeList(type)) {
    return listWriter(data, type, style);
  }
  const values = new arrow.Vector([data]);
  return (out, row) => out.text(anyJson(values.get(row)));
}

function recordWriter(data: arrow.Data, type: arrow.Struct, style: JsonStyle): ValueWriter {
  const fields = type.children.map(({ name }, index) => ({
    key: `${index === 0 ? "{" : ","}${JSON.stringify(name)}:`,
    write: jsonWriter(data.children[index] as arrow.Data, style),
  }));
  return (out, row) => {
    for (const { key, write } of fields) {
      out.text(key);
      write(out, row);
    }
    out.ascii(fields.length === 0 ? "{}" : "}");
  };
}

function listWriter(
  data: arrow.Data,
  type: arrow.List | arrow.FixedSizeList | arrow.Map_,
  style: JsonStyle,
): ValueWriter {
  const write = jsonWriter(data.children[0] as arrow.Data, style);
  const offsets = data.valueOffsets as Int32Array | undefined;
  const length = arrow.DataType.isFixedSizeList(type) ? type.listSize : 0;
  return (out, row) => {
    const from = offsets === undefined ? row * length : offsets[row]!;
    const to = offsets === undefined ? from + length : offsets[row + 1]!;
    out.byte(91);
    for (let item = from; item < to; item++) {
      if (item > from) out.byte(44);
      write(out, item);
    }
    out.byte(93);
  };
}

/** Encodes rare types as JSON: bytes as base64, big integers as digits. */
function anyJson(value: unknown): string {
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString("base64"));
  const text = JSON.stringify(value, (key, inner: unknown) =>
    inner instanceof Uint8Array ? Buffer.from(inner).toString("base64") : bigintAsText(key, inner),
  ) as string | undefined;
  return text ?? "null";
}
