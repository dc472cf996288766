import * as arrow from "apache-arrow";

/** Columns of every Arrow type, with the DuckDB value of each row. */
export const ROWS = 5000;
export const isNull = (row: number) => row % 7 === 3;

export const text = (row: number): string =>
  [
    "é".repeat(row % 4),
    `short${row}`,
    `a much longer text, number ${row}`,
    `exactly12_${String(row % 100).padStart(2, "0")}`,
    `thirteen_${String(row).padStart(4, "0")}`,
  ][row % 5]!;

function built(type: arrow.DataType, value: (row: number) => unknown): arrow.Vector {
  const builder = arrow.makeBuilder({ type, nullValues: [null] });
  for (let row = 0; row < ROWS; row++) builder.append(isNull(row) ? null : value(row));
  return builder.finish().toVector();
}

/** Raw values, for types whose builders change them. */
function raw(type: arrow.DataType, values: { readonly length: number }): arrow.Vector {
  const nullBitmap = new Uint8Array((ROWS + 7) >> 3);
  let nullCount = 0;
  for (let row = 0; row < ROWS; row++) {
    if (isNull(row)) nullCount += 1;
    else nullBitmap[row >> 3]! |= 1 << (row & 7);
  }
  const data = arrow.makeData({
    type,
    length: ROWS,
    nullCount,
    nullBitmap,
    data: values,
  } as unknown as Parameters<typeof arrow.makeData>[0]);
  return new arrow.Vector([data]);
}

const raw64 = (type: arrow.DataType, value: (row: number) => bigint) =>
  raw(
    type,
    BigInt64Array.from({ length: ROWS }, (_, row) => value(row)),
  );

function decimals(
  precision: number,
  scale: number,
  value: (row: number) => bigint,
  bitWidth = 128,
): arrow.Vector {
  const words = bitWidth / 32;
  const data = new Uint32Array(ROWS * words);
  for (let row = 0; row < ROWS; row++) {
    let rest = BigInt.asUintN(bitWidth, value(row));
    for (let word = 0; word < words; word++, rest >>= 32n)
      data[row * words + word] = Number(rest & 0xffffffffn);
  }
  return raw(new arrow.Decimal(scale, precision, bitWidth), data);
}

const fixed = (unscaled: bigint, scale: number): string => {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  return `${unscaled < 0n ? "-" : ""}${whole}${scale > 0 ? `.${digits.slice(-scale)}` : ""}`;
};

const EPOCH_S = 1_700_000_000n;
const iso = (ms: number) => new Date(ms).toISOString().replace("T", " ").replace("Z", "");
const trimmed = (stamp: string) => stamp.replace(/0+$/, "").replace(/\.$/, "");
const big = (row: number) => BigInt(row) * 1_234_567_890_123n * (row % 2 === 0 ? 1n : -1n);
const item = (type: arrow.DataType) => new arrow.Field("item", type, true);
const intervals = (unit: arrow.IntervalUnit, words: number, value: (row: number) => readonly number[]) =>
  raw(
    new arrow.Interval(unit),
    Int32Array.from({ length: ROWS * words }, (_, index) => value(Math.floor(index / words))[index % words]!),
  );

interface Case {
  readonly vector: arrow.Vector;
  readonly type: string;
  readonly value: (row: number) => unknown;
}
const of = (vector: arrow.Vector, type: string, value: (row: number) => unknown): Case => ({
  vector,
  type,
  value,
});

export const cases: Readonly<Record<string, Case>> = {
  bool: of(
    built(new arrow.Bool(), (i) => i % 3 === 0),
    "BOOLEAN",
    (i) => i % 3 === 0,
  ),
  int8: of(
    built(new arrow.Int8(), (i) => (i % 256) - 128),
    "TINYINT",
    (i) => (i % 256) - 128,
  ),
  int16: of(
    built(new arrow.Int16(), (i) => i - 2500),
    "SMALLINT",
    (i) => i - 2500,
  ),
  int32: of(
    built(new arrow.Int32(), (i) => i * -100_000),
    "INTEGER",
    (i) => i * -100_000 + 0,
  ),
  int64: of(built(new arrow.Int64(), big), "BIGINT", big),
  uint8: of(
    built(new arrow.Uint8(), (i) => i % 256),
    "UTINYINT",
    (i) => i % 256,
  ),
  uint16: of(
    built(new arrow.Uint16(), (i) => i + 55_000),
    "USMALLINT",
    (i) => i + 55_000,
  ),
  uint32: of(
    built(new arrow.Uint32(), (i) => 4_294_967_295 - i),
    "UINTEGER",
    (i) => 4_294_967_295 - i,
  ),
  uint64: of(
    built(new arrow.Uint64(), (i) => 2n ** 64n - 1n - BigInt(i)),
    "UBIGINT",
    (i) => 2n ** 64n - 1n - BigInt(i),
  ),
  float16: of(
    built(new arrow.Float16(), (i) => (i % 100) * 0.5),
    "FLOAT",
    (i) => (i % 100) * 0.5,
  ),
  float32: of(
    built(new arrow.Float32(), (i) => i * 0.5),
    "FLOAT",
    (i) => i * 0.5,
  ),
  float64: of(
    built(new arrow.Float64(), (i) => i / 3),
    "DOUBLE",
    (i) => i / 3,
  ),
  utf8: of(built(new arrow.Utf8(), text), "VARCHAR", text),
  large_utf8: of(built(new arrow.LargeUtf8(), text), "VARCHAR", text),
  utf8_view: of(built(new arrow.Utf8View(), text), "VARCHAR", text),
  binary: of(
    built(new arrow.Binary(), (i) => Uint8Array.of(i & 255, 0, 255)),
    "BLOB",
    (i) => Uint8Array.of(i & 255, 0, 255),
  ),
  large_binary: of(
    built(new arrow.LargeBinary(), (i) => Uint8Array.from({ length: i % 30 }, () => i & 255)),
    "BLOB",
    (i) => Uint8Array.from({ length: i % 30 }, () => i & 255),
  ),
  fixed_binary: of(
    built(new arrow.FixedSizeBinary(4), (i) => Uint8Array.of(65, 66, i & 255, 68)),
    "BLOB",
    (i) => Uint8Array.of(65, 66, i & 255, 68),
  ),
  wide_binary: of(
    built(new arrow.FixedSizeBinary(20), (i) => new Uint8Array(20).fill(i & 255)),
    "BLOB",
    (i) => new Uint8Array(20).fill(i & 255),
  ),
  dictionary: of(
    built(new arrow.Dictionary(new arrow.Utf8(), new arrow.Int32()), (i) => text(i % 50)),
    "VARCHAR",
    (i) => text(i % 50),
  ),
  dictionary8: of(
    built(new arrow.Dictionary(new arrow.Utf8(), new arrow.Int8()), (i) => `category value #${i % 20}`),
    "VARCHAR",
    (i) => `category value #${i % 20}`,
  ),
  dictionary_int: of(
    built(new arrow.Dictionary(new arrow.Int32(), new arrow.Int16()), (i) => (i % 20) * 1000),
    "INTEGER",
    (i) => (i % 20) * 1000,
  ),
  date_day: of(
    built(new arrow.DateDay(), (i) => new Date(Date.UTC(2020, 0, 1) - i * 86_400_000)),
    "DATE",
    (i) => iso(Date.UTC(2020, 0, 1) - i * 86_400_000).slice(0, 10),
  ),
  date_ms: of(
    raw64(new arrow.DateMillisecond(), (i) => BigInt(-i) * 86_400_000n),
    "DATE",
    (i) => iso(-i * 86_400_000).slice(0, 10),
  ),
  decimal4: of(
    decimals(4, 1, (i) => BigInt(i - 2500)),
    "DECIMAL(4,1)",
    (i) => fixed(BigInt(i - 2500), 1),
  ),
  decimal9: of(
    decimals(9, 2, (i) => BigInt(i * -7)),
    "DECIMAL(9,2)",
    (i) => fixed(BigInt(i * -7), 2),
  ),
  decimal18: of(
    decimals(18, 3, (i) => BigInt(i) * -1_000_001n),
    "DECIMAL(18,3)",
    (i) => fixed(BigInt(i) * -1_000_001n, 3),
  ),
  decimal38: of(
    decimals(38, 0, (i) => BigInt(i) * -(10n ** 30n)),
    "DECIMAL(38,0)",
    (i) => fixed(BigInt(i) * -(10n ** 30n), 0),
  ),
  decimal_narrow: of(
    decimals(9, 2, (i) => BigInt(i * -7), 32),
    "DECIMAL(9,2)",
    (i) => fixed(BigInt(i * -7), 2),
  ),
  decimal_narrow4: of(
    decimals(4, 0, (i) => BigInt(-i), 64),
    "DECIMAL(4,0)",
    (i) => fixed(BigInt(-i), 0),
  ),
  decimal_short64: of(
    decimals(30, 2, (i) => BigInt(i * -7), 64),
    "DECIMAL(30,2)",
    (i) => fixed(BigInt(i * -7), 2),
  ),
  timestamp_s: of(
    raw64(new arrow.TimestampSecond(), (i) => EPOCH_S - BigInt(i)),
    "TIMESTAMP_S",
    (i) => iso(Number(EPOCH_S) * 1000 - i * 1000).slice(0, 19),
  ),
  timestamp_ms: of(
    raw64(new arrow.TimestampMillisecond(), (i) => EPOCH_S * 1000n + BigInt(i)),
    "TIMESTAMP_MS",
    (i) => trimmed(iso(Number(EPOCH_S) * 1000 + i)),
  ),
  timestamp_us: of(
    raw64(new arrow.TimestampMicrosecond(), (i) => EPOCH_S * 1_000_000n + BigInt(i)),
    "TIMESTAMP",
    (i) => trimmed(`2023-11-14 22:13:20.${String(i).padStart(6, "0")}`),
  ),
  timestamp_ns: of(
    raw64(new arrow.TimestampNanosecond(), (i) => EPOCH_S * 1_000_000_000n + BigInt(i)),
    "TIMESTAMP_NS",
    (i) => trimmed(`2023-11-14 22:13:20.${String(i).padStart(9, "0")}`),
  ),
  zoned_s: of(
    raw64(new arrow.TimestampSecond("UTC"), (i) => -BigInt(i)),
    "TIMESTAMP WITH TIME ZONE",
    (i) => `${iso(-i * 1000).slice(0, 19)}+00`,
  ),
  zoned_ms: of(
    raw64(new arrow.TimestampMillisecond("Europe/Paris"), (i) => EPOCH_S * 1000n + BigInt(i)),
    "TIMESTAMP WITH TIME ZONE",
    (i) => `${trimmed(iso(Number(EPOCH_S) * 1000 + i))}+00`,
  ),
  zoned_ns: of(
    raw64(new arrow.TimestampNanosecond("UTC"), (i) => -1000n - BigInt(i) * 1000n),
    "TIMESTAMP WITH TIME ZONE",
    (i) => `${trimmed(`1969-12-31 23:59:59.${String(999_999 - i).padStart(6, "0")}`)}+00`,
  ),
  time_s: of(
    built(new arrow.TimeSecond(), (i) => i),
    "TIME",
    (i) => iso(i * 1000).slice(11, 19),
  ),
  time_ms: of(
    built(new arrow.TimeMillisecond(), (i) => i * 1000),
    "TIME",
    (i) => iso(i * 1000).slice(11, 19),
  ),
  time_us: of(
    raw64(new arrow.TimeMicrosecond(), (i) => BigInt(i) * 1_000_000n),
    "TIME",
    (i) => iso(i * 1000).slice(11, 19),
  ),
  time_ns: of(
    raw64(new arrow.TimeNanosecond(), (i) => BigInt(i) * 1_000_000_000n),
    "TIME_NS",
    (i) => iso(i * 1000).slice(11, 19),
  ),
  duration: of(
    raw64(new arrow.DurationSecond(), (i) => BigInt(i)),
    "INTERVAL",
    (i) => iso(i * 1000).slice(11, 19),
  ),
  months: of(
    intervals(arrow.IntervalUnit.YEAR_MONTH, 1, (i) => [i % 12]),
    "INTERVAL",
    (i) => span(i % 12, "month"),
  ),
  days: of(
    intervals(arrow.IntervalUnit.DAY_TIME, 2, (i) => [i % 12, 0]),
    "INTERVAL",
    (i) => span(i % 12, "day"),
  ),
  span: of(
    intervals(arrow.IntervalUnit.MONTH_DAY_NANO, 4, (i) => [i % 12, 0, 0, 0]),
    "INTERVAL",
    (i) => span(i % 12, "month"),
  ),
  list: of(
    built(new arrow.List(item(new arrow.Int32())), (i) =>
      Array.from({ length: i % 6 }, (_, k) => (k === 2 ? null : i + k)),
    ),
    "INTEGER[]",
    (i) => Array.from({ length: i % 6 }, (_, k) => (k === 2 ? null : i + k)),
  ),
  text_list: of(
    built(new arrow.List(item(new arrow.Utf8())), (i) =>
      Array.from({ length: i % 4 }, (_, k) => text(i + k)),
    ),
    "VARCHAR[]",
    (i) => Array.from({ length: i % 4 }, (_, k) => text(i + k)),
  ),
  long_list: of(
    built(new arrow.List(item(new arrow.Bool())), (i) =>
      i === 1 ? Array.from({ length: 9000 }, (_, k) => k % 2 === 0) : [],
    ),
    "BOOLEAN[]",
    (i) => (i === 1 ? Array.from({ length: 9000 }, (_, k) => k % 2 === 0) : []),
  ),
  fixed_list: of(
    built(new arrow.FixedSizeList(2, item(new arrow.Float32())), (i) => [i, i + 1]),
    "FLOAT[]",
    (i) => [i, i + 1],
  ),
  struct: of(
    built(
      new arrow.Struct([
        new arrow.Field("x", new arrow.Int32(), true),
        new arrow.Field("1", new arrow.Utf8(), true),
      ]),
      (i) => ({ x: i, 1: text(i) }),
    ),
    'STRUCT("x" INTEGER, "1" VARCHAR)',
    (i) => ({ x: i, 1: text(i) }),
  ),
  nested: of(
    built(
      new arrow.List(
        item(new arrow.Struct([new arrow.Field("tags", new arrow.List(item(new arrow.Utf8())), true)])),
      ),
      (i) => Array.from({ length: i % 3 }, () => ({ tags: [text(i), null] })),
    ),
    'STRUCT("tags" VARCHAR[])[]',
    (i) => Array.from({ length: i % 3 }, () => ({ tags: [text(i), null] })),
  ),
  map: of(
    built(
      new arrow.Map_(
        new arrow.Field(
          "entries",
          new arrow.Struct<{ key: arrow.Utf8; value: arrow.Int32 }>([
            new arrow.Field("key", new arrow.Utf8(), false),
            new arrow.Field("value", new arrow.Int32(), true),
          ]),
          false,
        ),
      ),
      (i) =>
        new Map<string, number | null>([
          [`k${i}`, i],
          [`a longer key, number ${i}`, null],
        ]),
    ),
    "MAP(VARCHAR, INTEGER)",
    (i) => [
      { key: `k${i}`, value: i },
      { key: `a longer key, number ${i}`, value: null },
    ],
  ),
  nothing: of(
    new arrow.Vector([arrow.makeData({ type: new arrow.Null(), length: ROWS })]),
    "INTEGER",
    () => null,
  ),
};

function span(count: number, unit: string): string {
  return count === 0 ? "00:00:00" : `${count} ${unit}${count === 1 ? "" : "s"}`;
}
