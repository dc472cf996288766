import { expect, test } from "bun:test";

import { isAgnesError } from "../../lib/base/mod.ts";
import { float64, int32, int64, table, utf8, type Row } from "../../lib/kit/mod.ts";
import { incremental, openBench, planOf } from "./harness.ts";

const info = table(
  "t",
  { id: int64(), part: utf8(), at: int64() },
  { primaryKey: ["id", "part"], cursor: "at" },
);
const keyed = planOf(info, { primaryKey: info.primaryKey });
const rows: readonly Row[] = [
  { id: 1, part: "a", at: 1 },
  { id: 1, part: "b", at: 2 },
  { id: null, part: "a", at: 3 },
  { id: null, part: "a", at: 4 },
];

test("extractSource() fails a full refresh with a duplicate primary key, and keeps the published data", async () => {
  await using bench = await openBench();
  expect((await bench.run([keyed], () => [[...rows]])).tablesFailed).toBe(0);
  const again = [
    ...rows,
    { id: 1, part: "a", at: 9 },
    { id: 1, part: "b", at: 9 },
    { id: 1, part: "b", at: 10 },
  ];
  // The rows are in several parts and batches.
  const stats = await bench.run([keyed], () => again.map((row) => [row]), { partRows: 1 });
  const [table] = stats.tables;
  expect(table!.status).toBe("failed");
  if (!isAgnesError(table!.error, "primary_key_repeated")) throw new Error(String(table!.error));
  expect(table!.error.details).toMatchObject({ columns: ["id", "part"], keys: 2, rows: 3 });
  expect(table!.error.message).toMatch(
    /returned 3 extra rows for 2 values of the primary key \(id, part\), for example "1, [ab]"/,
  );
  expect(table!.error.hint).toContain("agnes table update crm.t --primary-key");
  expect(await bench.rows("SELECT count(*) AS n FROM t")).toEqual([{ n: 4n }]);
});

test("extractSource() reports how many rows of a first incremental read were replaced by later ones", async () => {
  await using bench = await openBench();
  const yielded = [...rows.slice(0, 2), { id: 1, part: "a", at: 5 }];
  const stats = await bench.run([incremental(info)], () => [yielded]);
  expect(stats.tables[0]!.notes.join()).toContain(
    'later rows of the same read replaced 1 row with the same primary key (id, part), for example "1, a"',
  );
  expect(await bench.rows("SELECT \"at\" FROM t WHERE part = 'a'")).toEqual([{ at: 5n }]);
});

test("extractSource() reports keys of row objects that are not columns, with the number of rows", async () => {
  await using bench = await openBench();
  const many = Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`more${at}`, at]));
  const stats = await bench.run([planOf(info)], () => [
    [
      { id: 1, shoe_size: 46 },
      { id: 2, shoe_size: 43, "a\nb": 1 },
    ],
    [{ id: 3, shoe_size: 40, ...many }],
  ]);
  const [note] = stats.tables[0]!.notes;
  expect(note).toContain(
    'not columns and were ignored: "shoe_size" (3 rows), "a\\nb" (1 row), "more0" (1 row)',
  );
  expect(note).toContain("and 4 more");
  expect(await bench.rows("SELECT count(*) AS n FROM t")).toEqual([{ n: 3n }]);
});

test("extractSource() finds repeated keys regardless of the names of their columns", async () => {
  await using bench = await openBench();
  for (const name of ["n", "example", "agnes_row", 'a"b']) {
    const named = table("t", { [name]: int64() }, { primaryKey: [name] });
    const plan = planOf(named, { primaryKey: [name] });
    const once = await bench.run([plan], () => [[{ [name]: 2 }, { [name]: 3 }]], { full: true });
    expect({ name, errors: once.errors }).toEqual({ name, errors: [] });
    const twice = await bench.run([plan], () => [[{ [name]: 2 }, { [name]: 2 }]], { full: true });
    expect({ name, code: twice.errors[0]?.error.code }).toEqual({ name, code: "primary_key_repeated" });
  }
});

test.each([
  ["side by side", int64(), [5, 3, 4, null, null]],
  ["the least of all", int64(), [-(2n ** 63n), -(2n ** 63n) + 1n]],
  ["the greatest of all", int64(), [2n ** 63n - 1n, 2n ** 63n - 2n, null]],
  ["far from each other", int64(), [-(2n ** 63n), 0, 2n ** 63n - 1n]],
  ["small", int32(), [-1, 0, 7]],
  ["with fractions", float64(), [1, 1.5, 2]],
  ["texts", utf8(), ["1", "2", "01"]],
] as const)("extractSource() finds a repeated key among keys that are %s", async (_, type, keys) => {
  await using bench = await openBench();
  const named = table("t", { id: type }, { primaryKey: ["id"] });
  const plan = planOf(named, { primaryKey: ["id"] });
  const read = (ids: readonly unknown[]) =>
    bench.run([plan], () => ids.map((id) => [{ id }] as readonly Row[] as Row[]), {
      full: true,
      partRows: 2,
    });
  expect((await read(keys)).errors).toEqual([]);
  for (const key of keys.filter((one) => one !== null)) {
    const { errors } = await read([...keys, key]);
    expect({ key, code: errors[0]?.error.code }).toEqual({ key, code: "primary_key_repeated" });
  }
});

test("extractSource() updates a row whose key starts with a byte order mark", async () => {
  await using bench = await openBench();
  const described = table("t", { id: utf8(), at: int64() }, { primaryKey: ["id"], cursor: "at" });
  const marked = "\uFEFFz";
  const first = [
    { id: "a", at: 1 },
    { id: marked, at: 1 },
  ];
  for (const read of [first, [{ id: marked, at: 2 }]]) {
    const stats = await bench.run([incremental(described)], () => [read]);
    expect(stats.errors).toEqual([]);
  }
  expect(await bench.rows('SELECT id, "at" FROM t ORDER BY "at"')).toEqual([
    { id: "a", at: 1n },
    { id: marked, at: 2n },
  ]);
});
