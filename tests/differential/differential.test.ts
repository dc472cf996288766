import { expect, test } from "bun:test";

import { reportOf, seedDifferences, seedRange, SEEDS } from "./seeds.ts";

test("createAgnes() shows tables as a reference writer wrote them, or refuses them by file and line", async () => {
  const seeds = seedRange(SEEDS);
  expect(reportOf(await seedDifferences(seeds), seeds.to - seeds.from)).toBe("");
});
