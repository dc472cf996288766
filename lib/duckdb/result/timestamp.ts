import type { TextWriter } from "./text-writer.ts";

const DAY_S = 86_400;

/** Writes a day since 1970 as `2026-01-31`. Years that do not have four digits follow ISO 8601: `+012026`. */
export function writeDay(out: TextWriter, day: number): void {
  // Days since 0000-03-01 in cycles of 400 years, so that leap days are last.
  const shifted = day + 719_468;
  const cycle = Math.floor(shifted / 146_097);
  const dayOfCycle = shifted - cycle * 146_097;
  const yearOfCycle = Math.floor(
    (dayOfCycle -
      Math.floor(dayOfCycle / 1460) +
      Math.floor(dayOfCycle / 36_524) -
      Math.floor(dayOfCycle / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfCycle - (365 * yearOfCycle + Math.floor(yearOfCycle / 4) - Math.floor(yearOfCycle / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = yearOfCycle + cycle * 400 + (month <= 2 ? 1 : 0);
  if (year >= 0 && year <= 9999) out.digits(year, 4);
  else {
    out.byte(year < 0 ? 45 : 43);
    const absolute = Math.abs(year);
    out.digits(absolute, absolute < 1_000_000 ? 6 : 7);
  }
  out.byte(45);
  out.digits(month, 2);
  out.byte(45);
  out.digits(dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1, 2);
}

/** Writes seconds of a day and a fraction of `digits` digits as `10:00:00.001`, without a fraction of zero. */
export function writeTimeOfDay(out: TextWriter, seconds: number, fraction: number, digits: number): void {
  out.digits(Math.floor(seconds / 3600), 2);
  out.byte(58);
  out.digits(Math.floor(seconds / 60) % 60, 2);
  out.byte(58);
  out.digits(seconds % 60, 2);
  if (fraction === 0) return;
  out.byte(46);
  // Trailing zeros are removed in groups of three digits.
  let width = digits;
  let value = fraction;
  while (width > 3 && value % 1000 === 0) {
    value /= 1000;
    width -= 3;
  }
  out.digits(value, width);
}

/** Writes seconds since 1970 and a fraction as `2026-01-31T10:00:00.001`. */
export function writeTimestamp(out: TextWriter, seconds: number, fraction: number, digits: number): void {
  const day = Math.floor(seconds / DAY_S);
  writeDay(out, day);
  out.byte(84);
  writeTimeOfDay(out, seconds - day * DAY_S, fraction, digits);
}
