import { expect, test } from "bun:test";
import * as arrow from "apache-arrow";

import { openStream } from "../../lib/duckdb/mod.ts";
import { batchOf, open, rejection, sourceOf } from "./support.ts";

const item = (type: arrow.DataType) => new arrow.Field("item", type, true);
const built = (type: arrow.DataType, value: (row: number) => unknown): arrow.Vector =>
  arrow.vectorFromArray(
    Array.from({ length: 10 }, (_, row) => value(row)),
    type,
  );
const text = (row: number) => `the text of row ${row}`;

function stringsOf(bytes: readonly number[], offsets: readonly number[], bitmap?: number): arrow.Vector {
  const length = offsets.length - 1;
  return new arrow.Vector([
    arrow.makeData({
      type: new arrow.Utf8(),
      length,
      ...(bitmap === undefined ? { nullCount: 0 } : { nullCount: -1, nullBitmap: Uint8Array.of(bitmap) }),
      valueOffsets: Int32Array.from(offsets),
      data: Uint8Array.from(bytes),
    }),
  ]);
}

async function readOne(vector: arrow.Vector): Promise<readonly unknown[]> {
  await using session = await open();
  const batch = batchOf({ v: vector });
  const table = openStream(
    session.database,
    sourceOf(batch.schema, async function* () {
      yield batch;
    }),
  );
  return (await session.connection.rows<{ v: unknown }>(`SELECT v FROM ${table.relation}`)).map(
    (row) => row.v,
  );
}

const filler = Array.from({ length: 20 }, () => 97);

test.each([
  ["a short text is cut within a character", stringsOf([0xc3, 0xa9], [0, 1, 2]), /not valid UTF-8/],
  [
    "a long text is cut within a character",
    stringsOf([...filler, 0xc3, 0xa9], [0, 21, 22]),
    /not valid UTF-8/,
  ],
  ["a long text holds a stray byte", stringsOf([...filler, 0xff], [0, 21]), /not valid UTF-8/],
  ["a short text holds a stray byte", stringsOf([0xff], [0, 1]), /not valid UTF-8/],
  ["offsets leave the bytes", stringsOf(filler, [0, 40]), /offsets 0 to 40 are outside its 20 bytes/],
  ["offsets go back", stringsOf(filler, [0, 15, 5, 20]), /do not ascend/],
  ["offsets are negative", stringsOf(filler, [-5, 15]), /offsets -5 to 15/],
])("openStream() throws batch_malformed when %s", async (_what, vector, message) => {
  const error = await rejection(readOne(vector));
  expect(error.code).toBe("batch_malformed");
  expect(error.message).toMatch(message);
  expect(error.message).toContain('"v"');
});

test("openStream() accepts any bytes under a null", async () => {
  expect(await readOne(stringsOf([...filler, 0xff, 0xfe, ...filler], [0, 20, 22, 42], 0b101))).toEqual([
    "a".repeat(20),
    null,
    "a".repeat(20),
  ]);
});

test.each([
  [
    "values are too few",
    arrow.makeData({ type: new arrow.Int32(), length: 4, nullCount: 0, data: new Int32Array(2) }),
  ],
  [
    "a bitmap is too short",
    arrow.makeData({
      type: new arrow.Int32(),
      length: 64,
      nullCount: 3,
      nullBitmap: new Uint8Array(1),
      data: new Int32Array(64),
    }),
  ],
  [
    "inner values are too few",
    arrow.makeData({
      type: new arrow.List(item(new arrow.Int32())),
      length: 1,
      nullCount: 0,
      valueOffsets: Int32Array.of(0, 9),
      child: arrow.makeData({ type: new arrow.Int32(), length: 1, data: new Int32Array(1) }),
    }),
  ],
])("openStream() throws batch_malformed when %s", async (_what, data) => {
  expect((await rejection(readOne(new arrow.Vector([data as arrow.Data])))).code).toBe("batch_malformed");
});

test("openStream() throws batch_malformed when a batch does not have the declared columns", async () => {
  const schema = batchOf({ a: built(new arrow.Int32(), (i) => i) }).schema;
  for (const [batch, reason] of [
    [batchOf({ b: built(new arrow.Int32(), (i) => i) }), /does not contain it/],
    [batchOf({ a: built(new arrow.Utf8(), text) }), /its type is Utf8, but Int32 was declared/],
  ] as const) {
    await using session = await open();
    const table = openStream(
      session.database,
      sourceOf(schema, async function* () {
        yield batch;
      }),
    );
    const error = await rejection(session.connection.rows(`SELECT sum(a) FROM ${table.relation}`));
    expect(error.code).toBe("batch_malformed");
    expect(error.message).toMatch(reason);
  }
});

test("openStream() reads the fields of a null struct as null", async () => {
  const leaf = arrow.makeData({
    type: new arrow.Int32(),
    length: 4,
    nullCount: 0,
    data: Int32Array.of(1, 2, 3, 4),
  });
  const inner = new arrow.Struct([new arrow.Field("x", new arrow.Int32(), true)]);
  const middle = arrow.makeData({
    type: inner,
    length: 4,
    nullCount: 1,
    nullBitmap: Uint8Array.of(0b0111),
    children: [leaf],
  });
  const outer = new arrow.Struct([new arrow.Field("s", inner, true)]);
  const data = arrow.makeData({
    type: outer,
    length: 4,
    nullCount: 1,
    nullBitmap: Uint8Array.of(0b1101),
    children: [middle],
  });
  await using session = await open();
  const batch = batchOf({ v: new arrow.Vector([data]) });
  const table = openStream(
    session.database,
    sourceOf(batch.schema, async function* () {
      yield batch;
    }),
  );
  expect(
    await session.connection.rows(
      `SELECT v.s.x AS x, v.s IS NULL AS s, v IS NULL AS v FROM ${table.relation}`,
    ),
  ).toEqual([
    { x: 1, s: false, v: false },
    { x: null, s: true, v: true },
    { x: 3, s: false, v: false },
    { x: null, s: true, v: false },
  ]);
});
