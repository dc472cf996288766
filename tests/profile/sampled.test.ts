import { expect, test } from "bun:test";

import { estimateDifferent } from "../../lib/profile/estimate.ts";
import { sampleSize } from "../../lib/profile/pass.ts";
import { profiledColumn } from "../../lib/profile/columns.ts";
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

test("a wide table has a smaller sample, so that it fits the memory", () => {
  const columns = (count: number) =>
    Array.from({ length: count }, (_, at) => profiledColumn({ name: `c${at}`, type: "VARCHAR" }));
  expect(sampleSize(columns(8))).toBe(500_000);
  expect(sampleSize(columns(1000))).toBe(5000);
});
