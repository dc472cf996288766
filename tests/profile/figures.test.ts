import { describe, expect, test } from "bun:test";
import fc from "fast-check";

import { quoteIdentifier, quoteLiteral } from "../../lib/duckdb/mod.ts";
import { columnOf, figuresOf } from "./figures-of.ts";
import { comparable, naiveColumn, naiveDuplicates, type Cell } from "./naive.ts";

/** A type of DuckDB and its values. */
const kinds: readonly { readonly type: string; readonly cells: fc.Arbitrary<Cell> }[] = [
  { type: "INTEGER", cells: fc.integer({ min: -3, max: 3 }) },
  { type: "BIGINT", cells: fc.integer({ min: -1_000_000, max: 1_000_000 }) },
  { type: "DOUBLE", cells: fc.constantFrom(0, -0, 0.001, 0.0015, -2.5, Number.NaN, Infinity, -Infinity) },
  { type: "DOUBLE", cells: fc.integer({ min: -1e6, max: 1e6 }).map((thousandths) => thousandths / 1000) },
  { type: "VARCHAR", cells: fc.constantFrom("", "a", "ä", "🙂🙂", `it's "x"`, "NULL", "a") },
  { type: "BOOLEAN", cells: fc.boolean() },
];

const tables = fc.array(fc.constantFrom(...kinds), { minLength: 1, maxLength: 4 }).chain((columns) =>
  fc.record({
    types: fc.constant(columns.map(({ type }) => type)),
    rows: fc.array(fc.tuple(...columns.map(({ cells }) => fc.option(cells, { freq: 4 }))), { maxLength: 40 }),
  }),
);

function literal(cell: Cell, type: string): string {
  if (cell === null) return `NULL::${type}`;
  const text = Object.is(cell, -0) ? "-0.0" : String(cell);
  return `${quoteLiteral(text)}::${type}`;
}

function selectOf(types: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const names = types.map((_, at) => quoteIdentifier(`c"${at}' --`)).join(", ");
  const values = [types.map(() => null), ...rows].map(
    (row) => `(${row.map((cell, at) => literal(cell, types[at]!)).join(", ")})`,
  );
  // The first row only gives the types.
  const list = values.map((row, at) => row.replace("(", `(${at}, `)).join(", ");
  return `SELECT ${names} FROM (VALUES ${list}) AS t(position, ${names}) WHERE position > 0`;
}

test("computeFigures() finds what plain JavaScript finds", async () => {
  await fc.assert(
    fc.asyncProperty(tables, async ({ types, rows }) => {
      const figures = await figuresOf(selectOf(types, rows));
      expect(figures).toMatchObject({
        row_count: rows.length,
        duplicate_rows: naiveDuplicates(rows),
        sampled: false,
        sampled_rows: rows.length,
      });
      for (const [at, column] of figures.columns.entries()) {
        const cells = rows.map((row) => row[at]!);
        // An empty column has no statistics to compare.
        if (cells.every((cell) => cell === null)) {
          expect([column.null_count, column.unique_count]).toEqual([rows.length, 0]);
          continue;
        }
        const bins = (column.numeric_stats?.histogram.bins ?? []) as readonly number[];
        expect(bins).toEqual(bins.toSorted((a, b) => a - b));
        expect(comparable(column)).toEqual(naiveColumn(cells, bins));
      }
    }),
    { numRuns: 60 },
  );
}, 120_000);

test("computeFigures() finds the same for columns in groups as for all at once", async () => {
  const grouped = fc.record({ table: tables, size: fc.integer({ min: 1, max: 3 }) });
  await fc.assert(
    fc.asyncProperty(grouped, async ({ table: { types, rows }, size }) => {
      const select = selectOf(types, [...rows, ...rows.slice(0, 2)]);
      const inGroups = await figuresOf(select, null, { groupsOf: (columns) => chunks(columns, size) });
      expect(inGroups).toEqual(await figuresOf(select, null, { groupsOf: (columns) => [columns] }));
    }),
    { numRuns: 30 },
  );
}, 120_000);

function chunks<T>(all: readonly T[], size: number): readonly (readonly T[])[] {
  return all.flatMap((_, at) => (at % size === 0 ? [all.slice(at, at + size)] : []));
}

describe("a histogram", () => {
  test("has the exact minimum and maximum as its edges, however small they are", async () => {
    const { numeric_stats: stats } = await columnOf("SELECT unnest([0.001, 0.0012, 0.0039]) AS x");
    expect(stats?.histogram.bins).toHaveLength(16);
    expect([stats?.histogram.bins[0], stats?.histogram.bins.at(-1)]).toEqual([0.001, 0.0039]);
    expect(stats?.histogram.counts.reduce((sum, count) => sum + count, 0)).toBe(3);
  });

  test("of whole numbers has whole edges, and no more intervals than they can fill", async () => {
    const edgesOf = async (sql: string) => (await columnOf(sql)).numeric_stats!.histogram;
    expect(await edgesOf("SELECT unnest([1, 2, 2, 5]) AS x")).toEqual({
      bins: [1, 2, 3, 4, 5],
      counts: [1, 2, 0, 1],
    });
    const wide = await edgesOf("SELECT range::UBIGINT * 7 AS x FROM range(15)");
    expect(wide.bins).toEqual([0, 7, 13, 20, 26, 33, 39, 46, 52, 59, 65, 72, 78, 85, 91, 98]);
    expect(wide.counts.reduce((sum, count) => sum + count, 0)).toBe(15);
    const huge = await edgesOf("SELECT unnest([-9223372036854775807, 0, 9223372036854775807]) AS x");
    expect(huge.bins).toHaveLength(16);
    expect((await edgesOf("SELECT unnest([1.0::DOUBLE, 2]) AS x")).bins).toHaveLength(16);
  });

  test("has one interval if all numbers are equal", async () => {
    const { numeric_stats: stats, alerts } = await columnOf("SELECT 7 AS x FROM range(3)");
    expect(stats?.histogram).toEqual({ bins: [7, 7], counts: [3] });
    expect(alerts.map(({ type }) => type)).toEqual(["constant"]);
  });

  test("of numbers at both ends of the range of a DOUBLE is finite", async () => {
    const { numeric_stats: stats } = await columnOf("SELECT unnest([-1.7e308, 0, 1.7e308]) AS x");
    expect(stats).toMatchObject({ min: -1.7e308, max: 1.7e308, stddev: null });
    expect(stats?.histogram.bins.every((bin) => Number.isFinite(bin))).toBeTrue();
    expect(stats?.histogram.counts).toEqual([1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1]);
  });

  test("of dates counts by quarter, before our era too, without infinite dates", async () => {
    const column = await columnOf(
      "SELECT unnest([DATE '2026-03-31', '2026-04-01', '2026-06-30', '0045-03-15 (BC)', 'infinity', NULL]) AS day",
    );
    expect(column.date_stats).toMatchObject({
      earliest: "0045-03-15 (BC)",
      latest: "2026-06-30",
      histogram: { bins: ["-0044-Q1", "2026-Q1", "2026-Q2"], counts: [1, 1, 2] },
    });
    expect([column.null_count, column.unique_count]).toEqual([1, 5]);
  });
});

test("NaN and infinite numbers do not change the other figures", async () => {
  const { numeric_stats: stats } = await columnOf(
    "SELECT unnest(['nan', 'inf', '-inf', '1', '3']::DOUBLE[]) AS x",
  );
  expect(stats).toMatchObject({ min: 1, max: 3, mean: 2, median: 2, negative: 0, non_finite: 3 });
});

test("numbers that JSON would round are text", async () => {
  const big = await columnOf("SELECT unnest([1, 170141183460469231731687303715884105727]::HUGEINT[]) AS x");
  expect(big.numeric_stats).toMatchObject({ min: 1, max: "170141183460469231731687303715884105727" });
  const exact = await columnOf("SELECT unnest([1.50, 123456789012345678901234567.25]::DECIMAL(38,2)[]) AS x");
  expect(exact.numeric_stats).toMatchObject({ min: 1.5, max: "123456789012345678901234567.25" });
});

test("long values are cut, but still count as different", async () => {
  const { string_stats: stats, unique_count: unique } = await columnOf(
    "SELECT repeat('x', 500) || range AS text FROM range(3) UNION ALL SELECT repeat('x', 500) || 1",
  );
  expect(unique).toBe(3);
  expect(stats).toMatchObject({ min_length: 501, max_length: 501 });
  expect(stats?.top_values[0]).toEqual({ value: `${"x".repeat(100)}…`, count: 2, pct: 50 });
});

test("an empty table has no statistics", async () => {
  const figures = await figuresOf("SELECT 1 AS id, 'a' AS name, now() AS at, true AS ok LIMIT 0");
  expect(figures).toMatchObject({ row_count: 0, duplicate_rows: 0, sampled: false, sample_rows: [] });
  expect(figures.columns.map(({ completeness_pct, alerts }) => [completeness_pct, alerts])).toEqual(
    [1, 2, 3, 4].map(() => [null, []]),
  );
});

test("a table with hundreds of columns has the figures of each", async () => {
  const names = Array.from({ length: 240 }, (_, at) => at);
  const { columns } = await figuresOf(
    `SELECT ${names.map((at) => `range % ${at + 1} AS c${at}`).join(", ")} FROM range(300)`,
  );
  expect(columns.map(({ unique_count: unique }) => unique)).toEqual(names.map((at) => at + 1));
  const medians = columns.map(({ numeric_stats: stats }) => stats?.median);
  expect(medians[0]).toBe(0);
  expect(medians.at(-1)).toBeGreaterThan(60);
  expect(columns.every(({ numeric_stats: stats }) => stats?.histogram != null)).toBe(true);
});
