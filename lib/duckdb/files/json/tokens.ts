import { formatValue } from "../../../base/mod.ts";

/** The parts of a JSON number. */
export interface Numeral {
  isNegative: boolean;
  wholeDigits: number;
  /** The number of digits after the decimal point, as written and without trailing zeros. */
  fractionDigits: number;
  fractionNeeded: number;
  hasExponent: boolean;
  /** Whether any digit before the exponent is nonzero. */
  isZero: boolean;
  /** The integer part as a number; exact up to 15 digits. */
  whole: number;
  /** The offset after the last byte; for an invalid number, the offset of the error. */
  end: number;
}

/** @returns whether it is a number; `into.end` is its end */
export function scanNumber(bytes: Uint8Array, start: number, into: Numeral): boolean {
  const size = bytes.length;
  let at = start;
  into.isNegative = bytes[at] === 0x2d;
  if (into.isNegative) at += 1;
  const wholeStart = at;
  let whole = 0;
  let byte = 0;
  while (at < size && (byte = bytes[at]!) >= 0x30 && byte <= 0x39) {
    whole = whole * 10 + (byte - 0x30);
    at += 1;
  }
  into.whole = whole;
  into.wholeDigits = at - wholeStart;
  into.isZero = whole === 0;
  into.fractionDigits = 0;
  into.fractionNeeded = 0;
  into.hasExponent = false;
  into.end = at;
  if (at === wholeStart || (bytes[wholeStart] === 0x30 && at > wholeStart + 1)) return false;
  if (at < size && bytes[at] === 0x2e) {
    const from = (at += 1);
    while (at < size && (byte = bytes[at]!) >= 0x30 && byte <= 0x39) {
      at += 1;
      if (byte !== 0x30) into.fractionNeeded = at - from;
    }
    into.fractionDigits = at - from;
    if (into.fractionNeeded > 0) into.isZero = false;
    into.end = at;
    if (at === from) return false;
  }
  if (at < size && (bytes[at]! | 0x20) === 0x65) {
    at += 1;
    if (bytes[at] === 0x2b || bytes[at] === 0x2d) at += 1;
    const from = at;
    while (at < size && (byte = bytes[at]!) >= 0x30 && byte <= 0x39) at += 1;
    into.hasExponent = true;
    into.end = at;
    if (at === from) return false;
  }
  return at === size || endsNumber(bytes[at]!);
}

/** Whether DuckDB may reformat a JSON number: `1.10` to 1.1, `1e2` to 100.0, `-0` to 0. */
export function isRewritten(numeral: Numeral, bytes: Uint8Array, start: number): boolean {
  if (numeral.hasExponent) return true;
  if (numeral.fractionDigits === 0) return numeral.isNegative && numeral.isZero;
  const text = textOf(bytes, start, numeral.end, false);
  const again = String(Number(text));
  return again !== text && `${again}.0` !== text;
}

export function newNumeral(): Numeral {
  return {
    isNegative: false,
    wholeDigits: 0,
    fractionDigits: 0,
    fractionNeeded: 0,
    hasExponent: false,
    isZero: false,
    whole: 0,
    end: 0,
  };
}

function endsNumber(byte: number): boolean {
  return byte <= 0x20 || byte === 0x2c || byte === 0x5d || byte === 0x7d;
}

/** Whether all bytes from `start` on are characters of numbers. */
export function reachesEnd(bytes: Uint8Array, start: number): boolean {
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at]!;
    const isPart =
      (byte >= 0x30 && byte <= 0x39) ||
      byte === 0x2e ||
      byte === 0x2b ||
      byte === 0x2d ||
      (byte | 0x20) === 0x65;
    if (!isPart) return false;
  }
  return true;
}

const ESCAPES = new Set(Buffer.from('"\\/bfnrt'));

/** Checks the escapes of a string without its quotes. @returns the problem, or `null` */
export function escapeProblem(bytes: Uint8Array, start: number, end: number): string | null {
  for (let at = start; at < end; at++) {
    if (bytes[at] !== 0x5c) continue;
    at += 1;
    if (bytes[at] !== 0x75) {
      if (!ESCAPES.has(bytes[at]!))
        return "a string contains a backslash before a character that cannot be escaped";
      continue;
    }
    const code = codeUnit(bytes, at + 1, end);
    if (code < 0) return "a string contains \\u without four hexadecimal digits";
    at += 4;
    if (code < 0xd800 || code > 0xdfff) continue;
    const low = bytes[at + 1] === 0x5c && bytes[at + 2] === 0x75 ? codeUnit(bytes, at + 3, end) : -1;
    if (code > 0xdbff || low < 0xdc00 || low > 0xdfff)
      return "a string contains a lone surrogate, which is not a character";
    at += 6;
  }
  return null;
}

function codeUnit(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 > end) return -1;
  let code = 0;
  for (let digit = 0; digit < 4; digit++) {
    const byte = bytes[at + digit]!;
    const lower = byte | 0x20;
    if (byte >= 0x30 && byte <= 0x39) code = code * 16 + byte - 0x30;
    else if (lower >= 0x61 && lower <= 0x66) code = code * 16 + lower - 0x57;
    else return -1;
  }
  return code;
}

/** The text of a string without its quotes. */
export function textOf(bytes: Uint8Array, start: number, end: number, isEscaped: boolean): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("utf8");
  return isEscaped ? (JSON.parse(`"${text}"`) as string) : text;
}

/** The length of the bytes up to the last complete character. */
export function wholeCharacters(bytes: Uint8Array): number {
  const size = bytes.length;
  for (let back = 1; back <= 3 && back <= size; back++) {
    const byte = bytes[size - back]!;
    if (byte < 0x80) return size;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return length > back ? size - back : size;
    }
  }
  return size;
}

/** The literals of JSON, by first byte. */
export const LITERALS: ReadonlyMap<number, Uint8Array> = new Map(
  ["true", "false", "null"].map((literal) => [literal.charCodeAt(0), Buffer.from(literal)]),
);

/** The problem of a control character in a string. */
export function controlProblem(byte: number): string {
  if (byte === 0x0a || byte === 0x0d) return "a string does not end on its line";
  return `a string contains the control character \\u${byte.toString(16).padStart(4, "0")}, which must be escaped`;
}

/** The text at an offset, for messages. */
export function excerptOf(bytes: Uint8Array, at: number): string {
  const text = Buffer.from(bytes.subarray(at, at + 60)).toString("utf8");
  const end = text.search(/[\s,\]}]/);
  return formatValue(end < 1 ? text.slice(0, 1) : text.slice(0, Math.min(end, 40)));
}
