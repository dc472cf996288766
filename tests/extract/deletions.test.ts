import { expect, test } from "bun:test";

import { readExtract } from "../../lib/extract/mod.ts";
import {
  arrow,
  decimal,
  int64,
  table,
  timestamp,
  utf8,
  type Batch,
  type Deletions,
} from "../../lib/kit/mod.ts";
import { incremental, openBench, planOf, type ReadFunction } from "./harness.ts";

const info = table(
  "t",
  { id: int64({ nullable: false }), v: utf8(), at: int64() },
  { primaryKey: ["id"], cursor: "at" },
);
const rows = (from: number, to: number, at = 0, v = "old") =>
  Array.from({ length: to - from }, (_, i) => ({ id: from + i, v, at: at + from + i }));
const gone = (...ids: number[]): Deletions => ({ kind: "deletions", keys: ids.map((id) => ({ id })) });

/** Reads `first` in full, and then the other batches. */
const after =
  (first: readonly Batch[], then: readonly (Batch | Deletions)[]): ReadFunction =>
  (_, { cursor }) =>
    (cursor === undefined ? first : then) as Iterable<Batch>;

const ids = "SELECT string_agg(id, ' ' ORDER BY id) AS ids FROM t";

for (const strategy of ["incremental", "partitioned"] as const) {
  const plan = incremental(info, {
    strategy,
    ...(strategy === "partitioned" ? { partitionBy: "v" } : {}),
  });

  test(`extractSource() applies deletions in the order of the read, in one publish (${strategy})`, async () => {
    await using bench = await openBench();
    const read = after(
      [rows(0, 10)],
      [
        gone(1, 2, 3, 77),
        rows(2, 3, 100, "again"),
        [...rows(20, 23, 100)],
        gone(21, 5),
        rows(5, 6, 200, "back"),
        gone(5),
        rows(22, 23, 300, "new"),
      ],
    );
    await bench.run([plan], read);
    const stats = await bench.run([plan], read);
    expect(await bench.rows(ids)).toEqual([{ ids: "0 2 4 6 7 8 9 20 22" }]);
    expect(await bench.rows("SELECT id, v FROM t WHERE v <> 'old' ORDER BY id")).toEqual([
      { id: 2n, v: "again" },
      { id: 22n, v: "new" },
    ]);
    expect(stats).toMatchObject({ generation: 2 });
    // Rows 1, 3 and 5 were published; 2 is restored, 21 was never published, and 77 does not exist.
    expect(stats.tables[0]).toMatchObject({ status: "extracted", rowsDeleted: 3, rows: 9 });
  });

  test(`extractSource() publishes a table whose rows were all deleted (${strategy})`, async () => {
    await using bench = await openBench();
    const read = after([rows(0, 3)], [gone(0, 1, 2)]);
    await bench.run([plan], read);
    const stats = await bench.run([plan], read);
    expect(stats.tables[0]).toMatchObject({ status: "extracted", rows: 0, rowsDeleted: 3 });
    expect(await bench.rows("SELECT * FROM t")).toEqual([]);
  });

  test(`extractSource() applies deletions of a full read to its earlier rows (${strategy})`, async () => {
    await using bench = await openBench();
    const read: ReadFunction = () => [rows(0, 5), gone(1, 3, 9), rows(3, 4, 0, "back")] as Iterable<Batch>;
    const stats = await bench.run([plan], read);
    expect(stats.tables[0]).toMatchObject({ full: true, rows: 4, rowsDeleted: 2 });
    expect(await bench.rows("SELECT id, v FROM t ORDER BY id")).toEqual([
      { id: 0n, v: "old" },
      { id: 2n, v: "old" },
      { id: 3n, v: "back" },
      { id: 4n, v: "old" },
    ]);
  });
}

test("extractSource() applies deletions to a full refresh, including Arrow batches with another integer width", async () => {
  await using bench = await openBench();
  const arrowBatch = arrow.tableFromArrays({ id: new Int32Array([1, 2]) }).batches[0]!;
  const read: ReadFunction = () => [gone(2), arrowBatch, gone(1), rows(7, 9), gone(8)] as Iterable<Batch>;
  await bench.run([planOf(info, { primaryKey: ["id"] })], read);
  expect(await bench.rows(ids)).toEqual([{ ids: "2 7" }]);
});

test("extractSource() publishes nothing for deletions of unknown keys", async () => {
  await using bench = await openBench();
  const read = after([rows(0, 3)], [gone(50)]);
  await bench.run([incremental(info)], read);
  const stats = await bench.run([incremental(info)], read);
  expect(stats).toMatchObject({ published: false, generation: 1 });
  expect(stats.tables[0]).toMatchObject({ status: "unchanged", rowsDeleted: 0 });
});

test("extractSource() restores a row that a later read yields after its deletion, published before or not", async () => {
  await using bench = await openBench();
  const reads = [[rows(0, 3)], [gone(1, 50)], [rows(1, 2, 100), rows(50, 51)]];
  const read: ReadFunction = () => reads.shift() as Iterable<Batch>;
  for (let turn = 0; turn < 3; turn++) await bench.run([incremental(info)], read);
  expect(await bench.rows(ids)).toEqual([{ ids: "0 1 2 50" }]);
});

test("extractSource() keeps parts large when deletions alternate with rows", async () => {
  await using bench = await openBench();
  await bench.run([incremental(info)], function* () {
    for (let page = 0; page < 50; page++) {
      yield rows(page * 10, page * 10 + 10);
      yield gone(page * 10 - 5) as unknown as Batch;
    }
  });
  const [published] = (await readExtract(bench.services.host.files, bench.directory))!.tables;
  expect(published).toMatchObject({ rows: 451 });
  expect(published!.parts.length).toBe(1);
});

test("extractSource() applies deletions by keys of several columns and types", async () => {
  await using bench = await openBench();
  const pair = table(
    "pair",
    { a: utf8({ nullable: false }), b: timestamp({ nullable: false }), c: decimal(10, 2), at: int64() },
    { primaryKey: ["a", "b", "c"], cursor: "at" },
  );
  const day = (n: number) => new Date(Date.UTC(2026, 0, n));
  const read: ReadFunction = (_, { cursor }) =>
    (cursor === undefined
      ? [
          [
            { a: "x", b: day(1), c: "1.50", at: 1 },
            { a: "x", b: day(2), c: "1.50", at: 1 },
            { a: "y", b: day(1), c: 2, at: 1 },
          ],
        ]
      : [
          {
            kind: "deletions",
            keys: [
              { a: "x", b: "2026-01-01", c: 1.5 },
              { a: "y", b: day(1), c: "2.00", at: 7 },
            ],
          },
          [{ a: "y", b: "2026-01-01T00:00:00Z", c: 2n, at: 2 }],
        ]) as Iterable<Batch>;
  await bench.run([incremental(pair)], read);
  await bench.run([incremental(pair)], read);
  expect(await bench.rows('SELECT a, CAST(b AS VARCHAR) AS b, "at" FROM pair ORDER BY a')).toEqual([
    { a: "x", b: "2026-01-02 00:00:00", at: 1n },
    { a: "y", b: "2026-01-01 00:00:00", at: 2n },
  ]);
});

test("extractSource() rejects deletions without a primary key, with a null key, and with invalid keys", async () => {
  const plan = incremental(info);
  const codeOf = async (plans: readonly (typeof plan)[], keys: readonly object[]) => {
    await using bench = await openBench();
    const stats = await bench.run(plans, () => [rows(0, 2), { kind: "deletions", keys } as unknown as Batch]);
    expect(stats.published).toBe(false);
    return stats.errors[0]?.error;
  };
  const keyless = await codeOf([{ ...plan, primaryKey: [] }], [{ id: 1 }]);
  expect(keyless).toMatchObject({
    code: "deletions_without_key",
    hint: "Set the key of the table with `agnes table update crm.t --primary-key COLUMNS`.",
  });
  expect(await codeOf([plan], [{ id: null }])).toMatchObject({ code: "value_invalid" });
  expect((await codeOf([plan], [{ name: "x" }]))?.message).toContain('column "id"');
});
