import { expect, test } from "bun:test";

import { arrow } from "agnes/kit";

import { columnDifferences } from "../../lib/write-back/column-differences.ts";

const fits = (given: arrow.DataType, wanted: arrow.DataType) => {
  const schemaOf = (type: arrow.DataType) => new arrow.Schema([new arrow.Field("a", type, true)]);
  return columnDifferences({ schema: schemaOf(given), names: ["a"] }, schemaOf(wanted)) === null;
};

const nameOf = (type: arrow.DataType) => new arrow.Field("a", type, true).toString();

const decimal = (precision: number, scale: number) => new arrow.Decimal(scale, precision, 128);

test("columnDifferences() accepts a type whose values are all values of the column", () => {
  const pairs: readonly (readonly [arrow.DataType, arrow.DataType])[] = [
    [new arrow.Int32(), new arrow.Int64()],
    [new arrow.Uint32(), new arrow.Int64()],
    [new arrow.Int64(), decimal(38, 0)],
    [new arrow.Int8(), decimal(5, 2)],
    [decimal(18, 0), new arrow.Int64()],
    [decimal(10, 2), decimal(12, 2)],
    [new arrow.Float32(), new arrow.Float64()],
    [new arrow.Int32(), new arrow.Float64()],
    [new arrow.TimestampSecond(), new arrow.TimestampMicrosecond()],
    [new arrow.Dictionary(new arrow.Utf8(), new arrow.Int32()), new arrow.Utf8()],
  ];
  for (const [given, wanted] of pairs)
    expect([nameOf(given), fits(given, wanted)]).toEqual([nameOf(given), true]);
});

test("columnDifferences() refuses a type that has other values, or writes them in another manner", () => {
  const pairs: readonly (readonly [arrow.DataType, arrow.DataType])[] = [
    [new arrow.Int64(), new arrow.Int32()],
    [new arrow.Uint64(), new arrow.Int64()],
    [new arrow.Int8(), new arrow.Uint8()],
    [new arrow.Int64(), decimal(18, 0)],
    [decimal(12, 3), decimal(12, 2)],
    [decimal(12, 2), decimal(12, 4)],
    [new arrow.Int64(), new arrow.Float64()],
    [decimal(4, 2), new arrow.Float64()],
    [new arrow.Float64(), new arrow.Float32()],
    [new arrow.Float64(), new arrow.Int64()],
    [new arrow.TimestampMicrosecond(), new arrow.TimestampMillisecond()],
    [new arrow.TimestampMicrosecond(), new arrow.TimestampMicrosecond("UTC")],
    [new arrow.TimestampMicrosecond(), new arrow.TimestampNanosecond()],
    [new arrow.DateDay(), new arrow.TimestampMicrosecond()],
    [new arrow.Bool(), new arrow.Int32()],
    [new arrow.Int32(), new arrow.Utf8()],
    [new arrow.Binary(), new arrow.Utf8()],
  ];
  for (const [given, wanted] of pairs)
    expect([`${nameOf(given)} ${nameOf(wanted)}`, fits(given, wanted)]).toEqual([
      `${nameOf(given)} ${nameOf(wanted)}`,
      false,
    ]);
});
