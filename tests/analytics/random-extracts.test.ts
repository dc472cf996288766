import { expect, test } from "bun:test";

import { isReplay, seedsTo } from "../seeds.ts";
import { expectGoodStaysShown } from "./random-extracts.ts";

test("rebuildAnalytics() shows the good extract beside any other, and nothing that is not theirs", async () => {
  const { shown, refused } = await expectGoodStaysShown(seedsTo(60), 20);
  if (isReplay) return;
  expect(shown).toBeGreaterThan(10);
  expect(refused).toBeGreaterThan(8);
}, 300_000);
