import { expect, test } from "bun:test";

import { readExtract } from "../../lib/extract/mod.ts";
import {
  bool,
  decimal,
  float64,
  int32,
  int64,
  table,
  utf8,
  type Column,
  type Row,
} from "../../lib/kit/mod.ts";
import { describeChange, diffColumns } from "../../lib/extract/schema/diff.ts";
import { isLossless, widest } from "../../lib/extract/schema/widen.ts";
import { incremental, openBench, planOf, type Bench } from "./harness.ts";

const read = (bench: Bench, columns: Record<string, Column>, rows: Row[], options = {}) =>
  bench.run([incremental(table("t", columns, { primaryKey: ["id"], cursor: "at" }), options)], () => [rows]);
const key = { id: int64({ nullable: false }), at: int64() };

test("extractSource() reports no change on the first read and on the same schema again", async () => {
  await using bench = await openBench();
  expect((await read(bench, { ...key, a: utf8() }, [{ id: 1, at: 1, a: "x" }])).schemaChanges).toEqual([]);
  expect((await read(bench, { ...key, a: utf8() }, [{ id: 2, at: 2, a: "y" }])).schemaChanges).toEqual([]);
});

test("extractSource() fills an added column with null in older rows", async () => {
  await using bench = await openBench();
  await read(bench, key, [{ id: 1, at: 1 }]);
  const stats = await read(bench, { ...key, b: int32({ nullable: false }) }, [{ id: 2, at: 2, b: 7 }]);
  expect(stats.schemaChanges).toEqual([{ table: "t", kind: "added", column: "b", type: "INTEGER" }]);
  expect(await bench.rows("SELECT id, b FROM t ORDER BY id")).toEqual([
    { id: 1n, b: null },
    { id: 2n, b: 7 },
  ]);
});

test("extractSource() keeps a removed column as null until a full run removes it", async () => {
  await using bench = await openBench();
  await read(bench, { ...key, a: utf8() }, [{ id: 1, at: 1, a: "x" }]);
  const stats = await read(bench, key, [{ id: 2, at: 2 }]);
  expect(stats.schemaChanges).toEqual([
    { table: "t", kind: "removed", column: "a", type: "VARCHAR", kept: true },
  ]);
  expect(await bench.rows("SELECT id, a FROM t ORDER BY id")).toEqual([
    { id: 1n, a: "x" },
    { id: 2n, a: null },
  ]);
  expect((await read(bench, key, [{ id: 3, at: 3 }])).schemaChanges).toEqual([]);
  const plan = incremental(table("t", key, { primaryKey: ["id"], cursor: "at" }));
  await bench.run([plan], () => [[{ id: 9, at: 9 }]], { full: true });
  expect(await bench.rows("SELECT * FROM t")).toEqual([{ id: 9n, at: 9n }]);
});

test("extractSource() widens a type and reads old and new parts as one", async () => {
  await using bench = await openBench();
  await read(bench, { ...key, n: int32(), d: decimal(5, 2), f: int32(), s: bool() }, [
    { id: 1, at: 1, n: 1, d: "1.25", f: 3, s: true },
  ]);
  const wide = { ...key, n: int64(), d: decimal(9, 3), f: float64(), s: utf8() };
  const stats = await read(bench, wide, [{ id: 2, at: 2, n: 2n ** 40n, d: "123456.125", f: 0.5, s: "no" }]);
  expect(stats.schemaChanges.map((change) => change.kind)).toEqual(Array(4).fill("type_changed"));
  expect(await bench.rows("SELECT * FROM t ORDER BY id")).toEqual([
    { id: 1n, at: 1n, n: 1n, d: "1.250", f: 3, s: "true" },
    { id: 2n, at: 2n, n: 2n ** 40n, d: "123456.125", f: 0.5, s: "no" },
  ]);
  const history = (await readExtract(bench.services.host.files, bench.directory))!.tables[0]!.schemas;
  expect(history.map((schema) => schema.changes.length)).toEqual([0, 4]);
  const narrow = await read(bench, { ...wide, n: int32() }, [{ id: 3, at: 3, n: 5 }]);
  expect(narrow.tables[0]?.status).toBe("extracted");
  expect(describeChange(narrow.schemaChanges[0]!)).toBe(
    "column n changed from BIGINT to INTEGER; it stays published as BIGINT until a sync with --full",
  );
  expect(await bench.rows("SELECT typeof(n) AS t FROM t WHERE id = 3")).toEqual([{ t: "BIGINT" }]);
});

test("extractSource() fails a table whose type changed unsafely, and keeps what was published", async () => {
  await using bench = await openBench();
  await read(bench, { ...key, a: utf8({ nullable: true }) }, [{ id: 1, at: 1, a: "x" }]);
  await read(bench, { ...key, a: utf8(), b: bool() }, [{ id: 2, at: 2, b: true }]);
  const stats = await read(bench, { ...key, a: utf8(), b: float64() }, [{ id: 3, at: 3, b: 0.5 }]);
  expect(stats.errors[0]?.error).toMatchObject({ code: "schema_change_unsafe" });
  expect(stats.errors[0]?.error.hint).toContain("`agnes sync crm.t --full`");
  expect(stats.errors[0]?.error.message).toContain("column b changed from BOOLEAN to DOUBLE");
  expect(await bench.rows("SELECT count(*) AS n FROM t")).toEqual([{ n: 2n }]);
});

test("extractSource() reports changes of nullability and order, and rejects them for a frozen schema", async () => {
  await using bench = await openBench();
  await read(bench, { ...key, a: utf8({ nullable: false }), b: utf8() }, [{ id: 1, at: 1, a: "x" }]);
  const changed = { at: int64(), id: int64({ nullable: false }), b: utf8(), a: utf8() };
  const frozen = await read(bench, changed, [{ id: 2, at: 2 }], { schemaPolicy: "freeze" });
  expect(frozen.errors[0]?.error.code).toBe("schema_frozen");
  expect(frozen.errors[0]?.error.hint).toContain("`agnes table update crm.t --schema-policy evolve`");
  const stats = await read(bench, changed, [{ id: 2, at: 2 }]);
  expect(stats.schemaChanges.map((change) => change.kind)).toEqual(["nullability_changed", "reordered"]);
  expect((await bench.rows("SELECT column_name AS n FROM (DESCRIBE t)")).map((row) => row["n"])).toEqual([
    "id",
    "at",
    "a",
    "b",
  ]);
});

test("extractSource() evolves the schema of a full refresh", async () => {
  await using bench = await openBench();
  const run = (columns: Record<string, Column>, rows: Row[]) =>
    bench.run([planOf(table("t", columns))], () => [rows]);
  await run({ id: int64(), n: int64() }, [{ id: 1, n: 5 }]);
  const stats = await run({ id: int64(), n: float64() }, [{ id: 1, n: 0.5 }]);
  expect(stats.tablesFailed).toBe(0);
  expect(await bench.rows("SELECT n FROM t")).toEqual([{ n: 0.5 }]);
  expect((await run({ id: int64(), n: bool() }, [])).errors[0]?.error.code).toBe("schema_change_unsafe");
});

test("diffColumns() names every kind of difference", () => {
  const column = (name: string, type: string, nullable = true) => ({ name, type, nullable });
  expect(
    diffColumns(
      [column("a", "BIGINT"), column("b", "VARCHAR"), column("c", "DATE"), column("d", "DATE")],
      [column("d", "DATE"), column("b", "BIGINT"), column("a", "BIGINT", false), column("e", "DATE")],
    ).map((change) => change.kind),
  ).toEqual(["added", "removed", "type_changed", "nullability_changed", "reordered"]);
});

test("isLossless() and widest() compare types by the values they hold", () => {
  const yes = [
    ["INTEGER", "BIGINT"],
    ["UINTEGER", "BIGINT"],
    ["INTEGER", "DOUBLE"],
    ["BIGINT", "DECIMAL(19,0)"],
    ["DECIMAL(5,2)", "DECIMAL(9,3)"],
    ["DATE", "TIMESTAMP"],
    ["TIMESTAMP_MS", "TIMESTAMP"],
    ["UUID", "VARCHAR"],
  ] as const;
  const no = [
    ["BIGINT", "INTEGER"],
    ["BIGINT", "UBIGINT"],
    ["BIGINT", "DOUBLE"],
    ["BIGINT", "DECIMAL(18,0)"],
    ["DECIMAL(9,3)", "DECIMAL(9,2)"],
    ["BLOB", "VARCHAR"],
    ["TIMESTAMP_NS", "TIMESTAMP"],
    ["VARCHAR", "BIGINT"],
  ] as const;
  for (const [from, to] of yes) expect([from, to, isLossless(from, to)]).toEqual([from, to, true]);
  for (const [from, to] of no) expect([from, to, isLossless(from, to)]).toEqual([from, to, false]);
  expect(widest("BIGINT", "DOUBLE", { replaced: true })).toBe("DOUBLE");
  expect(widest("BIGINT", "DOUBLE", { replaced: false })).toBeNull();
  expect(widest("VARCHAR", "BIGINT", { replaced: false })).toBe("VARCHAR");
});
