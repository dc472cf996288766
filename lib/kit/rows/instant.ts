/** A point in time: whole milliseconds since 1970, and additional nanoseconds. */
export interface Instant {
  ms: number;
  nanos: number;
}

const TEXT =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,18}))?)?\s?(Z|[+-]\d\d(?::?\d\d)?)?)?$/i;

/**
 * Parses ISO 8601 text into `into`: a date, or a date and time with or without zone (default: UTC).
 *
 * @returns whether the text is valid
 */
export function parseInstant(text: string, into: Instant): boolean {
  if (isPlainUtc(text)) {
    const year = number4(text, 0);
    const month = number2(text, 5);
    const day = number2(text, 8);
    const hour = number2(text, 11);
    const minute = number2(text, 14);
    const second = number2(text, 17);
    const ms = text.length === 24 ? number2(text, 20) * 10 + (text.charCodeAt(22) - 48) : 0;
    return set(into, { year, month, day, hour, minute, second, ms, nanos: 0, offsetMinutes: 0 });
  }
  const match = TEXT.exec(text);
  if (match === null) return false;
  const fraction = (match[7] ?? "").slice(0, 9).padEnd(9, "0");
  return set(into, {
    year: Number(match[1]),
    month: Number(match[2]),
    day: Number(match[3]),
    hour: Number(match[4] ?? 0),
    minute: Number(match[5] ?? 0),
    second: Number(match[6] ?? 0),
    ms: Number(fraction.slice(0, 3)),
    nanos: Number(fraction.slice(3)),
    offsetMinutes: offsetOf(match[8]),
  });
}

/** Days since 1970-01-01 in the Gregorian calendar, or NaN if the date does not exist. */
function daysOf(year: number, month: number, day: number): number {
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return Number.NaN;
  // Years start in March here, so that the leap day is the last day.
  const shifted = month > 2 ? year : year - 1;
  const monthFromMarch = (month + 9) % 12;
  const leapDays = Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400);
  return shifted * 365 + leapDays + Math.floor((153 * monthFromMarch + 2) / 5) + day - 1 - 719_468;
}

interface Parts {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly ms: number;
  readonly nanos: number;
  readonly offsetMinutes: number;
}

function set(into: Instant, parts: Parts): boolean {
  const { hour, minute, second } = parts;
  const days = daysOf(parts.year, parts.month, parts.day);
  if (Number.isNaN(days) || Number.isNaN(parts.offsetMinutes)) return false;
  if (hour > 23 || minute > 59 || second > 59) return false;
  const minutes = hour * 60 + minute - parts.offsetMinutes;
  into.ms = days * 86_400_000 + minutes * 60_000 + second * 1000 + parts.ms;
  into.nanos = parts.nanos;
  return true;
}

/** `2026-01-31T10:00:00Z`, `….000Z`, or either with a space and without Z: the formats of nearly all sources. */
function isPlainUtc(text: string): boolean {
  const { length } = text;
  if (length !== 24 && length !== 20 && length !== 19) return false;
  for (let i = 0; i < length; i += 1) {
    const code = text.charCodeAt(i);
    const fits =
      i === 4 || i === 7
        ? code === 45
        : i === 10
          ? code === 84 || code === 32
          : i === 13 || i === 16
            ? code === 58
            : i === length - 1 && length !== 19
              ? code === 90
              : i === 19
                ? code === 46
                : code >= 48 && code <= 57;
    if (!fits) return false;
  }
  return true;
}

function number2(text: string, at: number): number {
  return text.charCodeAt(at) * 10 + text.charCodeAt(at + 1) - 528;
}

function number4(text: string, at: number): number {
  return number2(text, at) * 100 + number2(text, at + 2);
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

function offsetOf(zone: string | undefined): number {
  if (zone === undefined || zone === "Z" || zone === "z") return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(3).replace(":", "") || 0);
  if (hours > 23 || minutes > 59) return Number.NaN;
  return (zone.startsWith("-") ? -1 : 1) * (hours * 60 + minutes);
}
