import { expect, test } from "bun:test";

import { int64, table, utf8, type Column, type Row } from "../../lib/kit/mod.ts";
import { describeChange, diffColumns } from "../../lib/extract/schema/diff.ts";
import { evolve } from "../../lib/extract/schema/evolve.ts";
import { incremental, openBench, planOf } from "./harness.ts";

const key = { id: int64({ nullable: false }), at: int64() };
const infoOf = (columns: Record<string, Column>) =>
  table("t", { ...key, ...columns }, { primaryKey: ["id"], cursor: "at" });
const change = { kind: "renamed", column: "W", from: "w" } as const;

test.each(["full_refresh", "incremental"] as const)(
  "extractSource() renames a column whose name changed case in the source, with %s",
  async (strategy) => {
    await using bench = await openBench();
    const run = (columns: Record<string, Column>, rows: Row[]) =>
      bench.run([strategy === "incremental" ? incremental(infoOf(columns)) : planOf(infoOf(columns))], () => [
        rows,
      ]);
    const old = { id: 1, at: 1 };
    await run({ w: utf8(), ü: utf8() }, [{ ...old, w: "a", ü: "x" }]);
    const stats = await run({ W: utf8(), Ü: utf8() }, [
      { ...old, W: "a", Ü: "x" },
      { id: 2, at: 2, W: "b", Ü: "y" },
    ]);
    expect(stats.schemaChanges).toEqual([
      { table: "t", ...change },
      { table: "t", kind: "renamed", column: "Ü", from: "ü" },
    ]);
    const all = 'SELECT "id", W, "Ü" FROM t ORDER BY id';
    const rows = [
      { id: 1n, W: "a", Ü: "x" },
      { id: 2n, W: "b", Ü: "y" },
    ];
    expect(await bench.rows(all)).toEqual(rows);
    const [third] = (
      await run({ W: utf8(), Ü: utf8() }, [
        { ...old, W: "a", Ü: "x" },
        { id: 2, at: 2, W: "b", Ü: "y" },
      ])
    ).tables;
    expect(third).toMatchObject({ status: "unchanged", schemaChanges: [] });
    expect((await bench.rows("DESCRIBE t")).map((row) => row["column_name"])).toEqual(["id", "at", "W", "Ü"]);
  },
);

test("extractSource() reads old and new parts as one when a column changed case and there are no affected rows", async () => {
  await using bench = await openBench();
  await bench.run([incremental(infoOf({ ü: utf8() }))], () => [[{ id: 1, at: 1, ü: "a" }]]);
  await bench.run([incremental(infoOf({ Ü: utf8() }))], () => [[{ id: 2, at: 2, Ü: "b" }]]);
  expect(await bench.rows('SELECT "Ü" FROM t ORDER BY id')).toEqual([{ Ü: "a" }, { Ü: "b" }]);
});

test("a frozen table rejects a column whose name changed case", async () => {
  await using bench = await openBench();
  const frozen = { schemaPolicy: "freeze" } as const;
  await bench.run([planOf(infoOf({ w: utf8() }), frozen)], () => [[{ id: 1, at: 1, w: "a" }]]);
  const stats = await bench.run([planOf(infoOf({ W: utf8() }), frozen)], () => [[{ id: 1, at: 1, W: "a" }]]);
  expect(stats.errors[0]?.error.code).toBe("schema_frozen");
  expect(stats.errors[0]?.error.message).toContain("column w was renamed to W");
});

test("diffColumns() and evolve() treat names that differ only in case as the same column", () => {
  const column = (name: string, type = "VARCHAR") => ({ name, type, nullable: true });
  const before = [column("id"), column("w")];
  const after = [column("W", "BIGINT"), column("ID")];
  const changes = diffColumns(before, after);
  expect(changes.map(describeChange)).toEqual([
    "column w was renamed to W",
    "column W changed from VARCHAR to BIGINT",
    "column id was renamed to ID",
    "the order of the columns changed to W, ID",
  ]);
  const options = { policy: "evolve", accept: false, replaced: true } as const;
  const previous = { columns: before, sourceColumns: before };
  expect(evolve("t", previous, after, options).columns).toEqual([column("ID"), column("W")]);
  // The columns that an earlier version published.
  const twice = { columns: [...before, column("W")], sourceColumns: [column("id"), column("W")] };
  expect(evolve("t", twice, [column("id"), column("W")], options).columns).toEqual([
    column("id"),
    column("W"),
  ]);
});
