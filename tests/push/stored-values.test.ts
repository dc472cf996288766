import { expect, test } from "bun:test";

import type { TablePlan } from "../../lib/extract/mod.ts";
import {
  arrow,
  decimal,
  float64,
  int64,
  json,
  list,
  table,
  timestamp,
  utf8,
  type Column as KitColumn,
  type Change,
  type PushEvent,
  type Row,
} from "../../lib/kit/mod.ts";
import { runStream, Spool } from "../../lib/push/mod.ts";
import { incremental, openBench, sourceOf, type Bench } from "../extract/harness.ts";

const batches: (readonly Change[])[] = [];
const connector = {
  verify: async () => [],
  // The bodies of spooled events are JSON, which has no Date, bigint or NaN.
  async *stream(events: AsyncIterable<PushEvent>): AsyncIterable<Change> {
    for await (const { body } of events) yield* batches[body as number]!;
  },
};

async function push(bench: Bench, plan: TablePlan | readonly TablePlan[], changes: readonly Change[]) {
  const body = batches.push(changes) - 1;
  await new Spool(bench.services.host, bench.directory).append([{ id: `e${body}`, body }]);
  const { directory, services } = bench;
  return runStream(services, { directory, source: sourceOf(connector as never), tables: [plan].flat() });
}

type Column = KitColumn | arrow.Field;

const upsert = (row: Row): Change => ({ kind: "upsert", table: "t", row });
const remove = (key: Row): Change => ({ kind: "delete", table: "t", key });
/** Changes of another table. */
const ofTable = (name: string, changes: readonly Change[]) =>
  changes.map((change): Change => ({ ...change, table: name }));
const replace = (parent: Row, ...rows: readonly Row[]): Change => ({
  kind: "replace",
  table: "t",
  parent,
  rows,
});

test("runStream() orders the versions of one batch as their column is stored, in any spelling", async () => {
  const micros = "2026-01-01T00:00:00.00000";
  const noon = new Date("2026-01-01T12:00:00Z");
  const ascending: readonly (readonly [Column, unknown, unknown])[] = [
    [int64(), "9", "10"],
    [int64(), 9, 10n],
    [int64(), "9", 10],
    [decimal(10, 2), "9.5", "10.25"],
    [float64(), "9e0", 10],
    [timestamp(), `${micros}1Z`, `${micros}2Z`],
    [timestamp(), noon, "2026-01-01 12:30:00"],
    [timestamp(), "2026-01-01 11:30:00", noon],
    [timestamp(), noon.getTime(), "2026-01-01T12:30:00Z"],
    [timestamp(), "2026-01-01 13:00:00+01:00", "2026-01-01T12:30:00Z"],
    [timestamp(), "2026-03-29 02:15:00", "2026-03-29 02:45:00"],
    // Texts are ordered by their bytes, even if they are dates.
    [utf8(), "2026-01-01T00:00:00+01:00", "2026-01-01T00:00:00+02:00"],
    [utf8(), "9", "a"],
    [utf8(), "\uFFFD", "\u{1F600}"],
  ];
  const plans = ascending.map(([version], at) =>
    incremental(
      table(
        `t${at}`,
        { id: int64({ nullable: false }), version, name: utf8() },
        { primaryKey: ["id"], cursor: "version" },
      ),
    ),
  );
  const changes = ascending.flatMap(([, older, newer], at) => {
    const old = (id: number) => upsert({ id, version: older, name: "older" });
    const next = (id: number) => upsert({ id, version: newer, name: "newer" });
    return ofTable(`t${at}`, [old(1), next(1), next(2), old(2)]);
  });
  await using bench = await openBench();
  expect((await push(bench, plans, changes)).errors).toEqual([]);
  for (const [at, [, older, newer]] of ascending.entries()) {
    const names = await bench.rows(`SELECT name FROM t${at} ORDER BY id`);
    expect([older, newer, ...names]).toEqual([older, newer, { name: "newer" }, { name: "newer" }]);
  }
});

const point = new arrow.Field(
  "parent",
  new arrow.Struct([
    new arrow.Field("x", new arrow.Int32(), true),
    new arrow.Field("y", new arrow.Int32(), true),
  ]),
  true,
);

test("runStream() identifies keys and parents by their stored values, in any spelling", async () => {
  const moment = "2026-01-01T00:00:00Z";
  const equal: readonly (readonly [Column, unknown, unknown])[] = [
    [int64(), "05", 5],
    [decimal(10, 2), "1.00", 1],
    [float64(), "1.0", 1],
    [float64(), -0, 0],
    [float64(), Number.NaN, Number.NaN],
    [timestamp(), moment, Date.parse(moment)],
    [timestamp(), "2026-01-01T01:00:00.000001+01:00", "2026-01-01 00:00:00.000001"],
    [utf8(), 5, "5"],
    [json(), { a: 1 }, '{"a":1}'],
  ];
  const plans = equal.map(([column], at) =>
    incremental(table(`t${at}`, { id: column, parent: column, name: utf8() }, { primaryKey: ["id"] })),
  );
  const changes = equal.flatMap(([, one, other], at) =>
    ofTable(`t${at}`, [
      upsert({ id: one, parent: one, name: "a" }),
      remove({ id: other }),
      upsert({ id: other, parent: one, name: "b" }),
      replace({ parent: other }),
      replace({ parent: one }, { id: one, parent: one, name: "c" }),
      replace({ parent: other }, { id: other, parent: one, name: "d" }),
    ]),
  );
  await using bench = await openBench();
  const { errors, upserts } = await push(bench, plans, changes);
  expect([errors, upserts]).toEqual([[], equal.length]);
  for (const [at, [, one, other]] of equal.entries()) {
    const names = await bench.rows(`SELECT name FROM t${at}`);
    expect([one, other, ...names]).toEqual([one, other, { name: "d" }]);
  }
});

test("runStream() identifies parents by lists, and by records in any order of their keys", async () => {
  const nested: readonly (readonly [Column, unknown, unknown])[] = [
    [list(int64()), [1, null], ["1", null]],
    [point, { x: 1, y: 2 }, { y: 2, x: 1 }],
  ];
  const plans = nested.map(([parent], at) =>
    incremental(table(`t${at}`, { id: int64({ nullable: false }), parent }, { primaryKey: ["id"] })),
  );
  const changes = nested.flatMap(([, one, other], at) =>
    ofTable(`t${at}`, [
      upsert({ id: 1, parent: one }),
      upsert({ id: 2, parent: one }),
      replace({ parent: other }, { id: 3, parent: one }),
    ]),
  );
  await using bench = await openBench();
  expect((await push(bench, plans, changes)).errors).toEqual([]);
  expect(await bench.rows("SELECT id::INT AS id FROM t0 UNION ALL SELECT id::INT FROM t1")).toEqual([
    { id: 3 },
    { id: 3 },
  ]);
});

test("runStream() prints nested parents as JSON, and refuses a parent without columns", async () => {
  const fields = { id: int64({ nullable: false }), parent: json() };
  const plan = incremental(table("t", fields, { primaryKey: ["id"] }));
  await using bench = await openBench();
  const other = await push(bench, plan, [replace({ parent: { a: 1 } }, { id: 1, parent: [2, "b"] })]);
  expect(other.errors[0]!.error.message).toContain(
    'column "parent" is [2,"b"]: the value of the parent is {"a":1}',
  );
  await using second = await openBench();
  const none = await push(second, plan, [replace({}, { id: 1 })]);
  expect(none.errors[0]!.error.code).toBe("replace_invalid");
});

test("runStream() publishes an earlier change of a batch when a later one is rejected", async () => {
  const fields = { id: int64({ nullable: false }), parent: int64(), size: int64(), version: int64() };
  const plan = incremental(table("t", fields, { primaryKey: ["id"], cursor: "version" }), {
    quarantine: true,
  });
  await using bench = await openBench();
  const valid = (id: number) => ({ id, parent: 1, size: id, version: 1 });
  const { rowsQuarantined } = await push(bench, plan, [
    upsert(valid(1)),
    upsert({ ...valid(1), size: "large", version: 2 }),
    upsert(valid(2)),
    upsert({ ...valid(2), version: "new" }),
    upsert(valid(3)),
    remove({ id: 3, version: "new" }),
    upsert(valid(4)),
    replace({ parent: 1 }, { ...valid(4), size: "large" }, valid(1), valid(2), { ...valid(3), parent: 2 }),
    upsert(valid(5)),
    replace({ parent: "none" }, { ...valid(5), parent: "none" }),
  ]);
  expect(rowsQuarantined).toBe(6);
  const rows = await bench.rows<Record<string, bigint>>("SELECT id, parent, size FROM t ORDER BY id");
  expect(rows.map(({ id, parent, size }) => [id, parent, size].map(Number))).toEqual(
    [1, 2, 3, 4, 5].map((id) => [id, 1, id]),
  );
});
