import { describe, expect, test } from "bun:test";

import { brokenReaders, faithfulReader } from "./broken-readers.ts";
import { exactNumber } from "./exact-number.ts";
import { writtenTable } from "./generate.ts";
import { seedDifferences } from "./seeds.ts";

/** So many that each fault is met. */
const seeds = { from: 0, to: 240 };

describe("seedDifferences()", () => {
  test("finds none for a reader that shows what was written", async () => {
    expect(await seedDifferences(seeds, faithfulReader)).toEqual([]);
  });

  test.each(Object.entries(brokenReaders))("finds those of a reader that %s", async (_fault, reader) => {
    expect((await seedDifferences(seeds, reader)).length).toBeGreaterThan(0);
  });
});

test("writtenTable() writes the same table for the same seed, byte for byte", () => {
  for (const seed of [1, 2, 3, 5, 8, 13]) expect(writtenTable(seed)).toEqual(writtenTable(seed));
});

test("exactNumber() distinguishes numbers that a double does not", () => {
  const same = (a: string, b: string) => exactNumber(a) === exactNumber(b);
  expect(same("1.50", "1.5")).toBe(true);
  expect(same("1e22", "10000000000000000000000")).toBe(true);
  expect(same("1.5e-7", "0.00000015")).toBe(true);
  expect(same("9007199254740993", "9007199254740992")).toBe(false);
  expect(same("-0", "0")).toBe(false);
  expect(exactNumber("0x10")).toBe(null);
});
