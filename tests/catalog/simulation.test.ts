import { expect, test } from "bun:test";

import { memoryStorage } from "agnes/catalog";

import { simulateStorage } from "../../lib/testing/storage-simulation.ts";

const chosen = process.env["AGNES_SEED"];
const seeds = chosen === undefined ? Array.from({ length: 2000 }, (_, at) => at + 1) : [Number(chosen)];

test(`openCatalog() keeps its promises on memory under ${seeds.length} seeds of faults and crashes`, async () => {
  for (const seed of seeds) {
    const storage = memoryStorage();
    await simulateStorage({ seed, steps: 7, open: () => storage });
  }
  expect(seeds.length).toBeGreaterThan(0);
}, 60_000);
