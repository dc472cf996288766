import { describe, expect, test } from "bun:test";

import {
  arrow,
  arrowColumn,
  binary,
  bool,
  createRowBuilder,
  date,
  decimal,
  float64,
  int32,
  int64,
  json,
  table,
  timestamp,
  utf8,
  type Column,
} from "../../lib/kit/mod.ts";
import { built, refusal } from "./row-values.ts";

describe("createRowBuilder() converts values", () => {
  test("integers from numbers, bigints and digits", () => {
    const values = [
      1,
      -1,
      2 ** 40,
      -(2 ** 40) - 1,
      2n ** 63n - 1n,
      "-9223372036854775808",
      "+7",
      -0,
      null,
      undefined,
    ];
    expect(built(int64(), values)).toEqual([
      1n,
      -1n,
      2n ** 40n,
      -(2n ** 40n) - 1n,
      2n ** 63n - 1n,
      -(2n ** 63n),
      7n,
      0n,
      null,
      null,
    ]);
    expect(built(int32(), [1, "-2147483648", 2147483647n, null])).toEqual([1, -2147483648, 2147483647, null]);
    const small = [
      new arrow.Int8(),
      new arrow.Int16(),
      new arrow.Uint8(),
      new arrow.Uint16(),
      new arrow.Uint32(),
    ];
    for (const type of small) expect(built(arrowColumn(type), [0, 100, "7"])).toEqual([0, 100, 7]);
    expect(built(arrowColumn(new arrow.Uint64()), [1, "18446744073709551615"])).toEqual([1n, 2n ** 64n - 1n]);
  });

  test("invalid integers are rejected with the reason", () => {
    expect(refusal(int64(), 1.5)).toBe("it is not an integer");
    expect(refusal(int64(), 2 ** 60)).toBe(
      "it is too large to be exact as a number; use a string or a bigint",
    );
    expect(refusal(int64(), Number.NaN)).toBe("it is not an integer");
    expect(refusal(int64(), 2n ** 63n)).toBe("it does not fit into 64 bits");
    expect(refusal(int64(), "")).toBe("the text is not an integer");
    expect(refusal(int64(), "0x10")).toBe("the text is not an integer");
    expect(refusal(int64(), true)).toBe("a boolean is not an integer");
    expect(refusal(int64(), [1])).toBe("a list is not an integer");
    expect(refusal(int32(), 2147483648)).toBe("it does not fit into 32 bits");
    expect(refusal(arrowColumn(new arrow.Uint8()), -1)).toBe("it does not fit into 8 bits (unsigned)");
    expect(refusal(arrowColumn(new arrow.Uint64()), -1)).toBe("it does not fit into 64 bits (unsigned)");
  });

  test("floating point numbers from numbers, bigints and numeric strings", () => {
    const values = [1.5, -0, Infinity, 3n, "-2.5e3", ".5", null];
    expect(built(float64(), values)).toEqual([1.5, -0, Infinity, 3, -2500, 0.5, null]);
    expect(built(float64(), [Number.NaN])).toEqual([Number.NaN]);
    expect(refusal(float64(), "1,5")).toBe("the text is not a number");
    expect(refusal(float64(), "")).toBe("the text is not a number");
    expect(refusal(float64(), new Date())).toBe("a Date is not a number");
  });

  test("booleans from booleans, their names, 1 and 0", () => {
    expect(built(bool(), [true, false, "true", "false", 1, 0, null])).toEqual([
      true,
      false,
      true,
      false,
      true,
      false,
      null,
    ]);
    expect(refusal(bool(), "yes")).toBe("a string is not a boolean");
    expect(refusal(bool(), 2)).toBe("a number is not a boolean");
  });

  test("text from text, numbers and booleans, with any characters", () => {
    const values = [
      "",
      "plain",
      "é",
      "日本",
      "😀",
      "a\u0000b",
      "x".repeat(100_000),
      1,
      2n ** 70n,
      false,
      null,
    ];
    expect(built(utf8(), values)).toEqual([...values.slice(0, 7), "1", String(2n ** 70n), "false", null]);
    expect(built(utf8(), [new Date(0)])).toEqual(["1970-01-01T00:00:00.000Z"]);
    expect(built(arrowColumn(new arrow.LargeUtf8()), ["a", "é", null])).toEqual(["a", "é", null]);
    // UTF-8 would make both U+FFFD, so two keys would become one.
    for (const half of ["a\ud800", "\udc00é"])
      for (const column of [utf8(), json()])
        expect(refusal(column, half)).toBe("it contains half of a surrogate pair, which is not Unicode text");
    expect(built(utf8(), ["😀", "\u{10ffff}é", ""])).toEqual(["😀", "\u{10ffff}é", ""]);
    expect(refusal(utf8(), { a: 1 })).toBe("an object is not text; declare the column as json() to keep it");
  });

  test("JSON from any value, text unchanged", () => {
    expect(built(json(), [{ a: [1, 2n, null] }, [1], 1.5, true, '{"raw":1}', null])).toEqual([
      '{"a":[1,"2",null]}',
      "[1]",
      "1.5",
      "true",
      '{"raw":1}',
      null,
    ]);
    const circle: Record<string, unknown> = {};
    circle["self"] = circle;
    expect(refusal(json(), circle)).toBe("it cannot be serialised as JSON");
    expect(refusal(json(), () => 1)).toBe("it cannot be serialised as JSON");
  });

  test("bytes from Uint8Array and ArrayBuffer", () => {
    const bytes = new Uint8Array([1, 2, 255]);
    expect(built(binary(), [bytes, bytes.buffer, new Uint8Array(), null])).toEqual([
      bytes,
      bytes,
      new Uint8Array(),
      null,
    ]);
    const fixed = arrowColumn(new arrow.FixedSizeBinary(3));
    expect(built(fixed, [bytes, null])).toEqual([bytes, null]);
    expect(refusal(fixed, new Uint8Array(2))).toBe("it has 2 bytes, not 3");
    expect(refusal(binary(), "abc")).toBe("a string is not a Uint8Array");
  });
});

/** The raw units of a 64-bit column. */
function units(column: Column, values: readonly unknown[]): (bigint | null)[] {
  const builder = createRowBuilder(table("t", { c: column }));
  builder.append(values.map((c) => ({ c })));
  const data = builder.finish()[0]!.data.children[0]!;
  return values.map((_, at) => (data.getValid(at) ? (data.values as BigInt64Array)[at]! : null));
}

describe("createRowBuilder() converts times", () => {
  const micros = (text: string, more = 0n) => BigInt(Date.parse(text)) * 1000n + more;

  test("timestamps from Date, ISO 8601 text and milliseconds, in UTC by default", () => {
    const cases: (readonly [unknown, bigint])[] = [
      [new Date("2026-01-31T10:11:12.345Z"), micros("2026-01-31T10:11:12.345Z")],
      ["2026-01-31T10:11:12.345Z", micros("2026-01-31T10:11:12.345Z")],
      ["2026-01-31T10:11:12Z", micros("2026-01-31T10:11:12Z")],
      ["2026-01-31T10:11:12", micros("2026-01-31T10:11:12Z")],
      ["2026-01-31 10:11:12", micros("2026-01-31T10:11:12Z")],
      ["2026-01-31 10:11", micros("2026-01-31T10:11:00Z")],
      ["2026-01-31", micros("2026-01-31T00:00:00Z")],
      ["2026-01-31T10:11:12.123456789Z", micros("2026-01-31T10:11:12.123Z", 456n)],
      ["2026-01-31T10:11:12.000+0100", micros("2026-01-31T09:11:12Z")],
      ["2026-01-31T10:11:12-05:30", micros("2026-01-31T15:41:12Z")],
      ["2026-01-31 10:11:12.5+02", micros("2026-01-31T08:11:12.5Z")],
      ["1969-12-31T23:59:59.999999Z", -1n],
      ["0001-01-01T00:00:00Z", micros("0001-01-01T00:00:00Z")],
      ["9999-12-31T23:59:59.999999Z", micros("9999-12-31T23:59:59.999Z", 999n)],
      ["2024-02-29", micros("2024-02-29")],
      [1_700_000_000_000, 1_700_000_000_000_000n],
      [1.25, 1250n],
      [-1, -1000n],
      [1_700_000_000_000n, 1_700_000_000_000_000n],
    ];
    expect(
      units(
        timestamp(),
        cases.map(([value]) => value),
      ),
    ).toEqual(cases.map(([, expected]) => expected));
  });

  test("timestamps of other units are truncated", () => {
    const text = "2026-01-31T10:11:12.123456789Z";
    const seconds = BigInt(Date.parse("2026-01-31T10:11:12Z")) / 1000n;
    expect(units(arrowColumn(new arrow.TimestampSecond()), [text])).toEqual([seconds]);
    expect(units(arrowColumn(new arrow.TimestampMillisecond()), [text])).toEqual([seconds * 1000n + 123n]);
    expect(units(arrowColumn(new arrow.TimestampNanosecond()), [text])).toEqual([
      seconds * 10n ** 9n + 123456789n,
    ]);
    expect(units(arrowColumn(new arrow.TimestampSecond()), ["1969-12-31T23:59:59.5Z"])).toEqual([-1n]);
  });

  test("invalid times are rejected", () => {
    const reason = "the text is not an ISO 8601 date or time";
    const texts = ["", "now", "2026-02-29", "2026-13-01", "2026-00-10", "2026-01-31T24:00:00Z", "31.1.2026"];
    for (const text of [
      ...texts,
      "2026-01-31T10:60:00Z",
      "20260131",
      "2026-1-3",
      "2026-01-31T10:11:12+25:00",
    ]) {
      expect([text, refusal(timestamp(), text)]).toEqual([text, reason]);
    }
    expect(refusal(timestamp(), new Date(Number.NaN))).toBe("it is outside the range of a Date");
    expect(refusal(timestamp(), 1e300)).toBe("it is outside the range of a Date");
    expect(refusal(timestamp(), {})).toBe("an object is not a date or time");
  });

  test("dates from text, and from times at midnight UTC", () => {
    const builder = createRowBuilder(table("t", { c: date() }));
    const values = [
      "1970-01-02",
      "1969-12-31",
      new Date("2026-01-31"),
      "2026-01-31T00:00:00Z",
      86_400_000,
      null,
    ];
    builder.append(values.map((c) => ({ c })));
    const data = builder.finish()[0]!.data.children[0]!;
    expect([...(data.values as Int32Array)].slice(0, 5)).toEqual([1, -1, 20484, 20484, 1]);
    expect(data.nullCount).toBe(1);
    expect(refusal(date(), "2026-01-31T10:00:00Z")).toContain("it has a time of day");
    expect(refusal(date(), new Date("2026-01-31T10:00:00Z"))).toContain("it has a time of day");
  });

  test("times of day from text and milliseconds", () => {
    const micro = arrowColumn(new arrow.TimeMicrosecond());
    expect(units(micro, ["10:30", "10:30:00.25", 1.5, null])).toEqual([
      37_800_000_000n,
      37_800_250_000n,
      1500n,
      null,
    ]);
    expect(refusal(micro, "24:00")).toBe("it is not a time of day such as 10:30:00");
  });
});

/** Decimals as unscaled integers. */
function unscaled(column: Column, values: readonly unknown[]): (bigint | null)[] {
  const builder = createRowBuilder(table("t", { c: column }));
  builder.append(values.map((c) => ({ c })));
  const data = builder.finish()[0]!.data.children[0]!;
  return values.map((_, at) => {
    if (!data.getValid(at)) return null;
    const words = (data.values as Uint32Array).subarray(at * 4, at * 4 + 4);
    return BigInt.asIntN(
      128,
      words.reduceRight((sum, word) => (sum << 32n) | BigInt(word), 0n),
    );
  });
}

describe("createRowBuilder() converts exact decimals", () => {
  test("from text, numbers and bigints", () => {
    const values = [
      "12.34",
      "-0.01",
      "1",
      ".5",
      "1e3",
      "-1.5E-1",
      0.1,
      -12.34,
      1e10,
      3n,
      "12.340000",
      0.1 + 0.2,
      null,
    ];
    expect(unscaled(decimal(18, 2), values)).toEqual([
      1234n,
      -1n,
      100n,
      50n,
      100000n,
      -15n,
      10n,
      -1234n,
      10n ** 12n,
      300n,
      1234n,
      30n,
      null,
    ]);
    const widest = "9".repeat(38);
    expect(unscaled(decimal(38, 0), [widest, `-${widest}`])).toEqual([BigInt(widest), -BigInt(widest)]);
    expect(unscaled(decimal(38, 10), ["-1234567890123456789012345678.0123456789"])).toEqual([
      -12345678901234567890123456780123456789n,
    ]);
  });

  test("and rejects values that would lose a digit", () => {
    const money = decimal(18, 2);
    expect(refusal(money, "0.001")).toBe("it has more than 2 digits after the point");
    expect(refusal(money, 0.125)).toBe("it has more than 2 digits after the point");
    expect(refusal(money, "12345678901234567.00")).toBe("it has more than 16 digits before the point");
    expect(refusal(money, 1e17)).toBe("it has more than 16 digits before the point");
    expect(refusal(money, Number.NaN)).toBe("it is not a finite number");
    for (const text of ["", ".", "-", "1.2.3", "1,5", "abc"])
      expect(refusal(money, text)).toBe("the text is not a number");
    expect(refusal(money, true)).toBe("a boolean is not a number");
  });
});
