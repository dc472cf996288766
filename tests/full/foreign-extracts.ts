import { expect, test } from "bun:test";
import { join } from "node:path";

import { expectValidStaysPublished } from "../analytics/random-extracts.ts";
import { isReplay, seedsTo } from "../seeds.ts";

const HOUR_MS = 3_600_000;

/** The seeds of one file of tests. Four files have 10,000, so that the runner can share them among its processes. */
const SEEDS = 2500;
/** Seeds that one process judges before the next takes its place. */
const TOGETHER = 500;

interface Counts {
  readonly shown: number;
  readonly refused: number;
}

/** Tests the seeds of one of the files, from the first one on. */
export function testForeignExtracts(first: number): void {
  const last = first + SEEDS - 1;
  test(
    `rebuildAnalytics() shows the good extract beside each of others, for the seeds ${first} to ${last}`,
    async () => {
      if (isReplay) return void (await expectValidStaysPublished(seedsTo(1), 1));
      const counts: Counts[] = [];
      for (let from = first; from <= last; from += TOGETHER) counts.push(await judge(from));
      const sum = (key: keyof Counts) => counts.reduce((total, count) => total + count[key], 0);
      expect(sum("shown")).toBeGreaterThan(500);
      expect(sum("refused")).toBeGreaterThan(250);
    },
    HOUR_MS,
  );
}

/** Judges some seeds in a process of its own, whose memory ends with it. */
async function judge(first: number): Promise<Counts> {
  const script = join(import.meta.dir, "..", "analytics", "random-extracts-process.ts");
  const range = [first, first + TOGETHER - 1].map(String);
  const child = Bun.spawn([process.execPath, script, ...range], { stdout: "pipe", stderr: "pipe" });
  const [counts, errors] = await Promise.all(
    [child.stdout, child.stderr].map((stream) => new Response(stream).text()),
  );
  if ((await child.exited) !== 0) throw new Error(`seeds ${range.join(" to ")}: ${errors}`);
  return JSON.parse(counts!) as Counts;
}
