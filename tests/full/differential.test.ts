import { expect, test } from "bun:test";

import { reportOf, seedDifferences, seedRange } from "../differential/seeds.ts";

/** Beyond those that `npm test` compares. */
const SEEDS = 3000;

test("createAgnes() shows thousands of tables as a reference writer wrote them", async () => {
  const seeds = seedRange(SEEDS);
  expect(reportOf(await seedDifferences(seeds), seeds.to - seeds.from)).toBe("");
}, 3_600_000);
