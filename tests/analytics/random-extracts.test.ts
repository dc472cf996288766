import { expect, test } from "bun:test";

import { isReplay, seedsTo } from "../seeds.ts";
import { expectValidStaysPublished } from "./random-extracts.ts";

test("rebuildAnalytics() publishes a valid extract beside random ones, and no data of other sources", async () => {
  const { shown, refused } = await expectValidStaysPublished(seedsTo(30), 30);
  if (isReplay) return;
  expect(shown).toBeGreaterThan(10);
  expect(refused).toBeGreaterThan(8);
}, 300_000);
