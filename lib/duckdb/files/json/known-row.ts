import { momentOf } from "./moments.ts";
import { nextObject } from "./objects.ts";
import { EXACT_DIGITS, SAFE_INTEGER_DIGITS } from "./plain-values.ts";
import type { Shape } from "./shape.ts";
import { allDigits, matchString, wordsOf } from "./words.ts";

/** How a value of a known type is recognized. */
const Kind = {
  /** Left to the walk. */
  other: 0,
  text: 1,
  boolean: 2,
  integer: 3,
  decimal: 4,
  double: 5,
  date: 6,
  timestamp: 7,
  zoned: 8,
  struct: 9,
  list: 10,
} as const;
type Kind = (typeof Kind)[keyof typeof Kind];

/** A value of a known type, with its key if it is a field. */
class KnownValue {
  readonly kind: Kind;
  readonly shape: Shape;
  /** The key in its quotes, with the colon: its first four bytes, its last four, and all of them. */
  readonly keyFirst: number;
  readonly keyLast: number;
  readonly keyLength: number;
  readonly keyWords: Int32Array;
  readonly isUnsigned: boolean;
  readonly wholeDigitsMax: number;
  readonly fractionDigitsMax: number;
  /** The number of digits before the decimal point. */
  readonly fractionWholeDigitsMax: number;
  readonly children: readonly KnownValue[];
  isSeen = false;

  /** The last date read, as written, with the character after it. */
  year = 0;
  month = 0;
  day = 0;

  constructor(shape: Shape, key: Uint8Array) {
    const { expected } = shape;
    this.shape = shape;
    const token = Buffer.concat([QUOTE, key, COLON]);
    this.keyWords = wordsOf(token);
    this.keyLength = token.length;
    // The token of the empty key is too short and is never found.
    this.keyFirst = this.keyWords[0] ?? 0;
    this.keyLast = token.length < 4 ? 0 : token.readInt32LE(token.length - 4);
    this.kind = kindOf(shape);
    const name = expected?.kind === "scalar" ? expected.name : "";
    const [width = 0, scale = 0] = expected?.kind === "scalar" ? expected.parameters.map(Number) : [];
    this.isUnsigned = name.startsWith("U");
    this.wholeDigitsMax = SAFE_INTEGER_DIGITS[name] ?? Math.max(1, width - scale);
    this.fractionDigitsMax = scale;
    this.fractionWholeDigitsMax = Math.min(this.wholeDigitsMax, EXACT_DIGITS - scale);
    this.children = childrenOf(shape);
  }
}

function kindOf({ expected }: Shape): Kind {
  if (expected === null || expected.kind === "map") return Kind.other;
  if (expected.kind !== "scalar") return expected.kind === "struct" ? Kind.struct : Kind.list;
  const { name } = expected;
  if (SAFE_INTEGER_DIGITS[name] !== undefined) return Kind.integer;
  switch (name) {
    case "JSON":
      return Kind.other;
    case "BOOLEAN":
      return Kind.boolean;
    case "DECIMAL":
      return Kind.decimal;
    case "FLOAT":
    case "DOUBLE":
      return Kind.double;
    case "DATE":
      return Kind.date;
    case "TIMESTAMP":
      return Kind.timestamp;
    case "TIMESTAMP WITH TIME ZONE":
      return Kind.zoned;
    default:
      return Kind.text;
  }
}

function childrenOf(shape: Shape): KnownValue[] {
  if (shape.expected?.kind === "list") return [new KnownValue(shape.element!, NO_KEY)];
  return shape.order.map(({ bytes, shape: field }) => new KnownValue(field, bytes));
}

const NO_KEY = new Uint8Array(0);
const QUOTE = Buffer.from('"');
const COLON = Buffer.from('":');

/**
 * Recognizes rows that need no scan, which are nearly all rows of a valid file: on one line, keys in the order of the
 * columns, each value fits its type regardless of the other values. It accepts only rows that would not change the result
 * of the scanner and the walk, at several times their speed.
 */
export class KnownRow {
  readonly #root: KnownValue;
  readonly #shape: Shape;

  /** @param root the shape of rows of known columns */
  constructor(root: Shape) {
    this.#shape = root;
    this.#root = new KnownValue(root, NO_KEY);
  }

  /**
   * @param at the offset of the opening brace; a line feed must follow, at least `READ_AHEAD` bytes before the end
   * @returns the offset after the closing brace; -1 if the row must be scanned
   */
  match(text: DataView, at: number): number {
    return matchObject(this.#root, text, at);
  }

  /** Adds the columns of the rows to the shape. */
  finish(): void {
    const object = nextObject();
    this.#root.children.forEach(({ isSeen }, at) => {
      if (isSeen) this.#shape.order[at]!.object = object;
    });
  }
}

/** The maximum number of bytes read past the current offset. */
export const READ_AHEAD = 32;

function matchObject(known: KnownValue, text: DataView, start: number): number {
  const { children } = known;
  const count = children.length;
  let at = start + 1;
  if (text.getUint8(at) === 0x7d) return at + 1;
  for (let next = 0; next < count; next++) {
    const child = children[next]!;
    const end = matchKey(child, text, at);
    // A key may be missing.
    if (end < 0) continue;
    at = matchValue(child, text, text.getUint8(end) === 0x20 ? end + 1 : end);
    if (at < 0) return -1;
    child.isSeen = true;
    const byte = text.getUint8(at);
    at += 1;
    if (byte === 0x7d) return at;
    if (byte !== 0x2c) return -1;
    if (text.getUint8(at) === 0x20) at += 1;
  }
  return -1;
}

function matchKey(known: KnownValue, text: DataView, start: number): number {
  if (text.getInt32(start, true) !== known.keyFirst) return -1;
  const length = known.keyLength;
  if (length > 8) {
    const words = known.keyWords;
    for (let at = 1; at < words.length; at++) {
      if (text.getInt32(start + 4 * at, true) !== words[at]) return -1;
    }
  }
  return text.getInt32(start + length - 4, true) === known.keyLast ? start + length : -1;
}

function matchValue(known: KnownValue, text: DataView, at: number): number {
  switch (known.kind) {
    case Kind.text:
      if (text.getUint8(at) !== 0x22) break;
      return matchString(text, at);
    case Kind.integer: {
      const end = matchInteger(known, text, at);
      if (end >= 0) return end;
      break;
    }
    case Kind.decimal: {
      const end = matchDecimal(known, text, at);
      if (end >= 0) return end;
      break;
    }
    case Kind.double: {
      const end = matchDouble(text, at);
      if (end >= 0) return end;
      break;
    }
    case Kind.boolean: {
      const word = text.getInt32(at, true);
      if (word === TRUE) return at + 4;
      if (word === FALS && text.getUint8(at + 4) === 0x65) return at + 5;
      break;
    }
    case Kind.date:
    case Kind.timestamp:
    case Kind.zoned:
      if (text.getUint8(at) !== 0x22) break;
      return matchMoment(known, text, at);
    case Kind.struct:
      if (text.getUint8(at) !== 0x7b) break;
      return matchObject(known, text, at);
    case Kind.list:
      if (text.getUint8(at) !== 0x5b) break;
      return matchList(known.children[0]!, text, at);
    case Kind.other:
  }
  return text.getInt32(at, true) === NULL ? at + 4 : -1;
}

const word = (text: string): number => Buffer.from(text).readInt32LE();
const NULL = word("null");
const TRUE = word("true");
const FALS = word("fals");

function matchList(element: KnownValue, text: DataView, start: number): number {
  let at = start + 1;
  if (text.getUint8(at) === 0x5d) return at + 1;
  for (;;) {
    at = matchValue(element, text, at);
    if (at < 0) return -1;
    const byte = text.getUint8(at);
    at += 1;
    if (byte === 0x5d) return at;
    if (byte !== 0x2c) return -1;
    if (text.getUint8(at) === 0x20) at += 1;
  }
}

function matchInteger(known: KnownValue, text: DataView, start: number): number {
  const isNegative = text.getUint8(start) === 0x2d;
  if (isNegative && known.isUnsigned) return -1;
  const from = isNegative ? start + 1 : start;
  const at = digitsEnd(text, from);
  const digits = at - from;
  if (digits === 0 || digits > known.wholeDigitsMax) return -1;
  return text.getUint8(from) === 0x30 && (digits > 1 || isNegative) ? -1 : at;
}

/** Negative numbers above -1 are left to the walk, because a decimal cannot be a negative zero. */
function matchDecimal(known: KnownValue, text: DataView, start: number): number {
  const isNegative = text.getUint8(start) === 0x2d;
  const from = isNegative ? start + 1 : start;
  const at = digitsEnd(text, from);
  const digits = at - from;
  if (digits === 0 || digits > known.wholeDigitsMax) return -1;
  if (text.getUint8(from) === 0x30 && (digits > 1 || isNegative)) return -1;
  if (text.getUint8(at) !== 0x2e) return at;
  const end = digitsEnd(text, at + 1);
  const fractionDigits = end - at - 1;
  if (fractionDigits === 0 || fractionDigits > known.fractionDigitsMax) return -1;
  return digits > known.fractionWholeDigitsMax ? -1 : end;
}

/** A number without an exponent whose digits a double keeps. */
function matchDouble(text: DataView, start: number): number {
  const isNegative = text.getUint8(start) === 0x2d;
  const from = isNegative ? start + 1 : start;
  const at = digitsEnd(text, from);
  const digits = at - from;
  const isZero = text.getUint8(from) === 0x30;
  if (digits === 0 || digits > EXACT_DIGITS || (isZero && digits > 1)) return -1;
  if (text.getUint8(at) !== 0x2e) return isNegative && isZero ? -1 : at;
  const end = digitsEnd(text, at + 1);
  if (end === at + 1) return -1;
  return end - from - 1 <= EXACT_DIGITS || isRoundTrip(text, start, end) ? end : -1;
}

/** Whether a double prints as written; the walk checks others. */
function isRoundTrip(text: DataView, start: number, end: number): boolean {
  const numeral = Buffer.from(text.buffer, text.byteOffset + start, end - start).toString("latin1");
  return String(Number(numeral)) === numeral;
}

/** A date or a timestamp to the second, in UTC if zoned; `momentOf` handles others. */
function matchMoment(known: KnownValue, text: DataView, start: number): number {
  const { kind } = known;
  if (isDay(known, text, start + 1)) {
    const day = start + 11;
    if (text.getUint8(day) === 0x22) {
      if (kind !== Kind.zoned) return day + 1;
    } else if (kind !== Kind.date && isClock(text, day)) {
      const fraction = text.getUint8(day + 9) === 0x2e ? digitsEnd(text, day + 10) : day + 9;
      const isFraction = fraction === day + 9 || (fraction > day + 10 && fraction <= day + 16);
      const at = fraction;
      const byte = isFraction ? text.getUint8(at) : 0;
      if (byte === 0x22) return kind === Kind.timestamp ? at + 1 : -1;
      if (byte === 0x5a && text.getUint8(at + 1) === 0x22) return kind === Kind.zoned ? at + 2 : -1;
    }
  }
  const end = matchString(text, start);
  if (end < 0) return -1;
  const bytes = new Uint8Array(text.buffer, text.byteOffset + start + 1, end - start - 2);
  const moment = momentOf(bytes, 0, bytes.length);
  if (moment !== null) keepDay(known, text, start + 1);
  if (kind === Kind.timestamp) return moment === "timestamp" || moment === "date" ? end : -1;
  return moment === (kind === Kind.date ? "date" : "zoned") ? end : -1;
}

/** Whether the date equals the last one, or has a day that all months have, such as `2024-01-28`. */
function isDay(known: KnownValue, text: DataView, at: number): boolean {
  const year = text.getInt32(at, true);
  const month = text.getInt32(at + 4, true);
  const day = text.getInt32(at + 6, true);
  if (day === known.day && month === known.month && year === known.year) return true;
  // After the XOR, a digit is its value and an expected character is 0.
  const months = month ^ 0x2d30302d;
  const days = day ^ 0x30302d30;
  const monthOnes = (months >>> 16) & 0xff;
  const monthNumber = ((months >>> 8) & 0xff) * 10 + monthOnes;
  const dayOnes = days >>> 24;
  const dayNumber = ((days >>> 16) & 0xff) * 10 + dayOnes;
  const isPlain =
    allDigits(year) &&
    (year & 0xff) !== 0x30 &&
    (months & 0xff0000ff) === 0 &&
    monthOnes <= 9 &&
    monthNumber >= 1 &&
    monthNumber <= 12 &&
    dayOnes <= 9 &&
    dayNumber >= 1 &&
    dayNumber <= 28;
  if (isPlain) keepDay(known, text, at);
  return isPlain;
}

function keepDay(known: KnownValue, text: DataView, at: number): void {
  known.year = text.getInt32(at, true);
  known.month = text.getInt32(at + 4, true);
  known.day = text.getInt32(at + 6, true);
}

/** Whether a time of day with its separator follows, such as `T23:59:59`. */
function isClock(text: DataView, at: number): boolean {
  const before = text.getUint8(at);
  const hours = text.getInt32(at + 1, true) ^ 0x303a3030;
  const seconds = text.getInt32(at + 5, true) ^ 0x30303a30;
  const tens = hours & 0xff;
  const ones = (hours >>> 8) & 0xff;
  return (
    (before === 0x20 || before === 0x54) &&
    ones <= 9 &&
    tens * 10 + ones <= 23 &&
    (hours & 0xff0000) === 0 &&
    hours >>> 24 <= 5 &&
    (seconds & 0xff) <= 9 &&
    (seconds & 0xff00) === 0 &&
    ((seconds >>> 16) & 0xff) <= 5 &&
    seconds >>> 24 <= 9
  );
}

function digitsEnd(text: DataView, start: number): number {
  let at = start;
  while (allDigits(text.getInt32(at, true))) at += 4;
  while (isDigit(text.getUint8(at))) at += 1;
  return at;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
