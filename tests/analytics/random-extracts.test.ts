import { expect, test } from "bun:test";

import { isReplay, seedsTo } from "../seeds.ts";
import { expectGoodStaysShown } from "./random-extracts.ts";

test("rebuildAnalytics() shows the good extract beside any other, and nothing that is not theirs", async () => {
  const { shown, refused } = await expectGoodStaysShown(seedsTo(200), 50);
  if (isReplay) return;
  expect(shown).toBeGreaterThan(40);
  expect(refused).toBeGreaterThan(40);
}, 300_000);
