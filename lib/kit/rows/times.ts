import * as arrow from "apache-arrow";

import { isNot, Validity, type ColumnBuilder, type Reject } from "./column.ts";
import { parseInstant, type Instant } from "./instant.ts";
import { writeWords } from "./numbers.ts";

const DAY_MS = 86_400_000;

/** Timestamps, truncated to the unit. */
export function timestampBuilder(type: arrow.Timestamp): ColumnBuilder {
  const perMs = [1e-3, 1, 1e3, 1e6][type.unit]!;
  const nanosPerUnit = [1e9, 1e6, 1e3, 1][type.unit]!;
  return (values, length, reject) => {
    const data = new BigInt64Array(length);
    const words = new Int32Array(data.buffer);
    const validity = new Validity(length);
    const instant: Instant = { ms: 0, nanos: 0 };
    for (let i = 0; i < length; i += 1) {
      const value = values[i];
      if (value == null || !readInstant(value, i, instant, reject)) {
        validity.setNull(i);
        continue;
      }
      const units = Math.floor(instant.ms * perMs) + Math.floor(instant.nanos / nanosPerUnit);
      if (Number.isSafeInteger(units)) writeWords(words, i * 2, units);
      else data[i] = BigInt(instant.ms) * BigInt(perMs) + BigInt(Math.floor(instant.nanos / nanosPerUnit));
    }
    return arrow.makeData({ type, ...validity.parts(), data } as never);
  };
}

/** Calendar days. A time that is not midnight in UTC is rejected, because truncation would lose its time of day. */
export function dateBuilder(type: arrow.Date_): ColumnBuilder {
  const inDays = type.unit === arrow.DateUnit.DAY;
  return (values, length, reject) => {
    const data = inDays ? new Int32Array(length) : new BigInt64Array(length);
    const validity = new Validity(length);
    const instant: Instant = { ms: 0, nanos: 0 };
    for (let i = 0; i < length; i += 1) {
      const value = values[i];
      if (value == null || !readInstant(value, i, instant, reject)) validity.setNull(i);
      else if (instant.ms % DAY_MS !== 0 || instant.nanos !== 0) {
        reject(i, value, "it has a time of day; a date must be midnight in UTC, or only the day");
        validity.setNull(i);
      } else if (inDays) data[i] = instant.ms / DAY_MS;
      else data[i] = BigInt(instant.ms);
    }
    return arrow.makeData({ type, ...validity.parts(), data } as never);
  };
}

const TIME = /^(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?$/;

/** Times of day: `10:30`, `10:30:00.25`, or a number of milliseconds since midnight. */
export function timeBuilder(type: arrow.Time): ColumnBuilder {
  const nanosPerUnit = [1e9, 1e6, 1e3, 1][type.unit]!;
  return (values, length, reject) => {
    const data = type.bitWidth === 32 ? new Int32Array(length) : new BigInt64Array(length);
    const validity = new Validity(length);
    for (let i = 0; i < length; i += 1) {
      const value = values[i];
      const nanos = value == null ? undefined : nanosOfDay(value);
      if (nanos === undefined) {
        if (value != null) reject(i, value, "it is not a time of day such as 10:30:00");
        validity.setNull(i);
      } else {
        const units = Math.floor(nanos / nanosPerUnit);
        data[i] = data instanceof Int32Array ? units : BigInt(units);
      }
    }
    return arrow.makeData({ type, ...validity.parts(), data } as never);
  };
}

function nanosOfDay(value: unknown): number | undefined {
  if (typeof value === "number") {
    return value >= 0 && value < DAY_MS ? Math.round(value * 1e6) : undefined;
  }
  const match = typeof value === "string" ? TIME.exec(value) : null;
  if (match === null) return undefined;
  const [hour, minute, second] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  return (hour * 3600 + minute * 60 + second) * 1e9 + Number((match[4] ?? "").padEnd(9, "0"));
}

function readInstant(value: unknown, index: number, into: Instant, reject: Reject): boolean {
  if (typeof value === "string") {
    if (parseInstant(value, into)) return true;
    reject(index, value, "the text is not an ISO 8601 date or time");
    return false;
  }
  const ms = value instanceof Date ? value.getTime() : typeof value === "bigint" ? Number(value) : value;
  if (typeof ms !== "number" || !(Math.abs(ms) <= 8.64e15)) {
    const what =
      typeof ms === "number" ? "it is outside the range of a Date" : isNot("a date or time", value);
    reject(index, value, what);
    return false;
  }
  into.ms = Math.floor(ms);
  into.nanos = Math.floor((ms - into.ms) * 1e6);
  return true;
}
