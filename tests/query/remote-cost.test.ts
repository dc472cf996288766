import { expect, setDefaultTimeout, test } from "bun:test";

import { joinCosts, refreshCost } from "./remote-cost.ts";

setDefaultTimeout(60_000);

test("a join with keys of one percent reads at most five percent of the bytes, and returns the same rows", async () => {
  const costs = await joinCosts(20_000);
  expect(costs.map(({ name }) => name)).toEqual(["live table", "registered query"]);
  for (const { name, pushed, unpushed } of costs) {
    expect([name, pushed.rows]).toEqual([name, unpushed.rows]);
    expect(pushed.rows).toMatchObject([{ n: 200, title: "the title of page 0" }]);
    // All rows were read without the keys.
    expect(unpushed.bytes).toBeGreaterThan(20_000 * 30);
    expect(pushed.bytes).toBeGreaterThan(0);
    expect(pushed.bytes / unpushed.bytes).toBeLessThanOrEqual(0.05);
  }
});

test("a refresh of the metadata of 1,000 remote tables is one free request for each, and no query", async () => {
  const { found, requests, jobs } = await refreshCost(1000, 4);
  expect(jobs).toBe(0);
  expect(requests).toHaveLength(1000);
  expect(new Set(requests).size).toBe(1000);
  expect(requests.every((one) => /^GET .*\/datasets\/d\d\/tables\/t\d+$/.test(one))).toBe(true);
  expect(found).toHaveLength(1000);
  expect(
    found.every(({ name, rows, sizeBytes }) => name.endsWith(`.t${rows}`) && sizeBytes === rows! * 8),
  ).toBe(true);
});
