import { expect, test } from "bun:test";
import { join } from "node:path";

import { expectGoodStaysShown } from "../analytics/random-extracts.ts";
import { isReplay, seedsTo } from "../seeds.ts";

const HOUR_MS = 3_600_000;

test(
  "rebuildAnalytics() shows the good extract beside each of 2,000 others",
  async () => {
    const { shown, refused } = await expectGoodStaysShown(seedsTo(2_000), 20);
    if (isReplay) return;
    expect(shown).toBeGreaterThan(400);
    expect(refused).toBeGreaterThan(200);
  },
  HOUR_MS,
);

test("rebuildAnalytics() goes on without an extract whose view DuckDB cannot be stopped from making", async () => {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "..", "analytics", "endless-view.ts")], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const told = JSON.parse(await new Response(child.stdout).text());
  expect(told).toEqual({
    first: { published: ["good.fine"], endless: "timed_out", later: "extract_refused" },
    second: { published: ["good.fine"], endless: "extract_refused", later: "extract_refused" },
  });
});
