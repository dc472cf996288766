import { expect, test } from "bun:test";
import { availableParallelism } from "node:os";
import { join } from "node:path";

import { eachOf } from "../../lib/base/mod.ts";
import { expectValidStaysPublished } from "../analytics/random-extracts.ts";
import { isReplay, seedsTo } from "../seeds.ts";

const HOUR_MS = 3_600_000;

/** Seeds that one process judges before the next takes its place. */
const TOGETHER = 500;

test(
  "rebuildAnalytics() shows the good extract beside each of 10,000 others",
  async () => {
    if (isReplay) return void (await expectValidStaysPublished(seedsTo(1), 1));
    const starts = Array.from({ length: 10_000 / TOGETHER }, (_, at) => 1 + at * TOGETHER);
    const counts = await eachOf(starts, availableParallelism(), judge);
    const sum = (key: "shown" | "refused") => counts.reduce((total, count) => total + count[key], 0);
    expect(sum("shown")).toBeGreaterThan(2000);
    expect(sum("refused")).toBeGreaterThan(1000);
  },
  HOUR_MS,
);

/** Judges some seeds in a process of its own, so that all cores have work. */
async function judge(first: number): Promise<{ readonly shown: number; readonly refused: number }> {
  const script = join(import.meta.dir, "..", "analytics", "random-extracts-process.ts");
  const range = [first, first + TOGETHER - 1].map(String);
  const child = Bun.spawn([process.execPath, script, ...range], { stdout: "pipe", stderr: "pipe" });
  const [counts, errors] = await Promise.all(
    [child.stdout, child.stderr].map((stream) => new Response(stream).text()),
  );
  if ((await child.exited) !== 0) throw new Error(`seeds ${range.join(" to ")}: ${errors}`);
  return JSON.parse(counts!) as { readonly shown: number; readonly refused: number };
}

test("rebuildAnalytics() goes on without an extract whose view DuckDB cannot be stopped from making", async () => {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "..", "analytics", "endless-view.ts")], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const reported = JSON.parse(await new Response(child.stdout).text());
  expect(reported).toEqual({
    first: {
      published: ["good.fine", "mixed.stored", "plain.t"],
      errors: ["endless timed_out", "later.t duckdb_stuck", "mixed.view duckdb_stuck"],
    },
    // What is shown of an extract stays as it is until all of it can be checked.
    second: {
      published: ["good.fine", "mixed.stored", "plain.t"],
      errors: ["endless.t duckdb_stuck", "later.t duckdb_stuck", "mixed duckdb_stuck"],
    },
  });
});
