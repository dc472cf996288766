import { describe, expect, test } from "bun:test";

import { estimateDifferent } from "../../lib/profile/estimate.ts";
import { boundsOf } from "../../lib/profile/bounds.ts";
import { profiledColumn, type ProfiledColumn } from "../../lib/profile/columns.ts";
import { figuresOf } from "./figures-of.ts";

const ROWS = 600_000;

test("a large table is exact where it says so, and sampled for the rest", async () => {
  const select = `SELECT range::INTEGER AS id, CASE WHEN range % 10 > 0 THEN range % 1000 END AS thousand,
    'customer ' || range % 40000 AS customer, 'same' AS same, range % 2 = 0 AS even
    FROM range(${ROWS}) UNION ALL SELECT 0, NULL, 'customer 0', 'same', true FROM range(3)`;
  const figures = await figuresOf(select, ROWS + 3);
  const [id, thousand, customer, same, even] = figures.columns;
  expect(figures).toMatchObject({ row_count: ROWS + 3, duplicate_rows: 3, sampled: true });
  // Five standard deviations of the number of rows of the sample.
  expect(Math.abs(figures.sampled_rows - 500_000)).toBeLessThan(5 * Math.sqrt((500_000 * 1) / 6));
  expect(id!.numeric_stats).toMatchObject({ min: 0, max: ROWS - 1, zeros: 4, negative: 0 });
  expect(id!.numeric_stats!.median).toBeWithin(ROWS * 0.49, ROWS * 0.51);
  expect(id!.numeric_stats!.histogram.counts.reduce((sum, count) => sum + count, 0)).toBe(
    figures.sampled_rows,
  );
  expect(thousand!.null_count).toBe(ROWS / 10 + 3);
  expect(thousand!.unique_count).toBe(900);
  expect(customer!.unique_count).toBeWithin(39_000, 41_000);
  expect(customer!.string_stats).toMatchObject({ min_length: 10, max_length: 14 });
  expect([same!.unique_count, same!.alerts.map(({ type }) => type)]).toEqual([1, ["constant"]]);
  expect(even!.boolean_stats).toMatchObject({ true_count: ROWS / 2 + 3, false_count: ROWS / 2 });
}, 60_000);

test("estimateDifferent() uses the sample for few values and the hashes for many", () => {
  const estimate = (filled: number, hashes: number, different: number, sampled = 500_000) =>
    estimateDifferent({ filled, hashes, isConstant: false, sample: { filled: sampled, different } });
  expect(estimate(5_000_000, 20, 1000)).toBe(1000);
  expect(estimate(5_000_000, 15_625, 400_000)).toBe(1_000_000);
  expect(estimate(5_000_000, 78_000, 500_000)).toBe(5_000_000);
  expect(estimate(5_000_000, 0, 1)).toBe(2);
  expect(estimate(0, 0, 0, 0)).toBe(0);
  const constant = { filled: 9, hashes: 1, isConstant: true, sample: { filled: 3, different: 1 } };
  expect(estimateDifferent(constant)).toBe(1);
});

test("groups of columns have samples of their own, and all other figures of all rows", async () => {
  const select = `SELECT range AS id, range % 7 AS seven, 'text ' || range AS text, DATE '2020-01-01' + range::INTEGER AS day
    FROM range(20000) UNION ALL SELECT 0, 0, 'text 0', DATE '2020-01-01'`;
  const figures = await figuresOf(select, 20_001, {
    sampleRows: () => 2000,
    groupsOf: (columns) => [columns.slice(0, 2), columns.slice(2)],
  });
  const [id, seven, text, day] = figures.columns;
  expect(figures).toMatchObject({ row_count: 20_001, duplicate_rows: 1, sampled: true });
  expect(figures.sampled_rows).toBeWithin(1700, 2300);
  expect(id!.numeric_stats).toMatchObject({ min: 0, max: 19_999, zeros: 2 });
  expect(id!.numeric_stats!.histogram.counts.reduce((sum, count) => sum + count, 0)).toBeWithin(1700, 2300);
  expect(seven!.unique_count).toBe(7);
  expect(text!.string_stats).toMatchObject({ min_length: 6, max_length: 10 });
  expect(day!.date_stats).toMatchObject({ earliest: "2020-01-01", span_days: 19_999 });
  expect(figures.sample_rows).toHaveLength(5);
  for (const [number, rest, name] of figures.sample_rows)
    expect([rest, name]).toEqual([Number(number) % 7, `text ${number}`]);
});

describe("boundsOf()", () => {
  const columns = (count: number, type = "VARCHAR") =>
    Array.from({ length: count }, (_, at) => profiledColumn({ name: `c${at}`, type }));

  test("gives many columns a smaller sample, so that it fits the memory", () => {
    const { sampleRows } = boundsOf(2048);
    expect(sampleRows(columns(8))).toBe(500_000);
    expect(sampleRows(columns(1000))).toBe(5000);
    expect(boundsOf(512).sampleRows(columns(40))).toBe(32_000);
  });

  test("divides many columns into groups, and few not", () => {
    const sizes = (memoryMb: number, all: readonly ProfiledColumn[]) =>
      boundsOf(memoryMb)
        .groupsOf(all)
        .map(({ length }) => length);
    expect(sizes(2048, [...columns(25), ...columns(50, "BIGINT")])).toEqual([75]);
    expect(sizes(2048, columns(100))).toEqual([42, 42, 16]);
    expect(sizes(2048, columns(1000, "DATE"))).toEqual([128, 128, 128, 128, 128, 128, 128, 104]);
    expect(sizes(512, columns(21))).toEqual([10, 10, 1]);
    expect(boundsOf(2048).groupsOf(columns(100)).flat()).toEqual(
      columns(100).map((_, at) => expect.objectContaining({ name: `c${at}` })),
    );
  });
});
