/** The kinds of ISO 8601 dates and timestamps. */
export type Moment = "date" | "timestamp" | "zoned";

/** The kind of a string; `null` if it is neither a date nor a timestamp, or more precise than microseconds. */
export function momentOf(bytes: Uint8Array, start: number, end: number): Moment | null {
  const length = end - start;
  if (length < 10 || length > 40 || bytes[start + 4] !== 0x2d || bytes[start + 7] !== 0x2d) return null;
  const year = digits(bytes, start, 4);
  const month = digits(bytes, start + 5, 2);
  const day = digits(bytes, start + 8, 2);
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > daysOf(year, month)) return null;
  if (length === 10) return "date";
  const clock = bytes[start + 10];
  if (clock !== 0x54 && clock !== 0x20) return null;
  const zone = afterClock(bytes, start + 11, end);
  if (zone < 0) return null;
  if (zone === end) return "timestamp";
  return ZONE.test(String.fromCharCode(...bytes.subarray(zone, end))) ? "zoned" : null;
}

const ZONE = /^(?: ?UTC|Z|[+-](?:0\d|1[0-5])(?::?[0-5]\d)?)$/;

/** The end of a time of day with at most microseconds; -1 if there is none. */
function afterClock(bytes: Uint8Array, start: number, end: number): number {
  if (start + 5 > end || bytes[start + 2] !== 0x3a) return -1;
  const hour = digits(bytes, start, 2);
  const minute = digits(bytes, start + 3, 2);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59) return -1;
  let at = start + 5;
  if (at === end || bytes[at] !== 0x3a) return at;
  const second = at + 3 > end ? -1 : digits(bytes, at + 1, 2);
  if (second < 0 || second > 59) return -1;
  at += 3;
  if (at === end || bytes[at] !== 0x2e) return at;
  const from = (at += 1);
  for (; at < end && bytes[at]! >= 0x30 && bytes[at]! <= 0x39; at++) {
    if (at - from >= 6 && bytes[at] !== 0x30) return -1;
  }
  return at === from ? -1 : at;
}

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function daysOf(year: number, month: number): number {
  const isLeap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return isLeap ? 29 : DAYS[month - 1]!;
}

/** A number with a fixed count of digits; -1 for other text. */
function digits(bytes: Uint8Array, start: number, count: number): number {
  let value = 0;
  for (let at = start; at < start + count; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
