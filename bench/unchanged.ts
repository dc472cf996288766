/**
 * What it costs to find that a full refresh gave the published rows, in another order: an asynchronous Arrow source of
 * 8 columns, refreshed with its batches in reverse, against the same refresh into an empty folder, which publishes.
 *
 *   npx bun bench/unchanged.ts [--rows 5000000] [--rounds 3]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import type { RecordBatch } from "apache-arrow";

import { orders, pooledBatches } from "./extract-data.ts";
import { extractOne } from "./extract-one.ts";

const { values } = parseArgs({
  options: { rows: { type: "string", default: "5000000" }, rounds: { type: "string", default: "3" } },
});
interface Spent {
  readonly seconds: number;
  readonly processor: number;
}

const rows = Number(values.rows);
const directory = await mkdtemp(join(tmpdir(), "agnes-bench-"));
try {
  const batches: RecordBatch[] = [];
  for await (const batch of pooledBatches(rows)()) batches.push(batch);
  const inReverse = async function* () {
    yield* batches.toReversed();
  };
  const timed = async (folder: string, status: string): Promise<Spent> => {
    const start = performance.now();
    const used = process.cpuUsage();
    const stats = await extractOne(join(directory, folder), orders, inReverse);
    const seconds = (performance.now() - start) / 1000;
    const { user, system } = process.cpuUsage(used);
    const processor = (user + system) / 1e6;
    console.log(`${folder}: ${seconds.toFixed(2)} s, ${processor.toFixed(2)} s of processor time`);
    if (stats.tables[0]!.status !== status) throw new Error(`it was ${stats.tables[0]!.status}`);
    return { seconds, processor };
  };
  await extractOne(join(directory, "same"), orders, pooledBatches(rows));
  const first = await timed("same", "unchanged");
  const published: Spent[] = [];
  const unchanged: Spent[] = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    published.push(await timed(`new-${round}`, "extracted"));
    await rm(join(directory, `new-${round}`), { recursive: true });
    unchanged.push(await timed("same", "unchanged"));
  }
  for (const [what, name] of [
    ["time", "seconds"],
    ["processor time", "processor"],
  ] as const) {
    const least = (all: readonly Spent[]) => Math.min(...all.map((spent) => spent[name]));
    const [a, b] = [least(published), least(unchanged)];
    console.log(
      `${what}: published ${a.toFixed(2)} s, found unchanged ${b.toFixed(2)} s, the first time ${first[name].toFixed(2)} s`,
    );
    console.log(
      `ratio of ${what} ${(b / a).toFixed(2)} (at most 1.10), the first time ${(first[name] / a).toFixed(2)}`,
    );
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}
