/**
 * An incremental merge of 1 % of the rows into a table of at least 20 parts: their keys side by side, so that few parts
 * are touched, against the same merge with the keys spread over the table, so that all of it is rewritten.
 *
 *   npx bun bench/merge.ts [--rows 5000000]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import type { RecordBatch } from "apache-arrow";

import type { ExtractStats } from "../lib/extract/mod.ts";
import { batchRows, freshBatches, makeBatch, orders } from "./extract-data.ts";
import { extractOne } from "./extract-one.ts";

const { values } = parseArgs({ options: { rows: { type: "string", default: "5000000" } } });
const rows = Number(values.rows);
const changed = Math.round(rows / 100);
let merges = 0;
const directory = await mkdtemp(join(tmpdir(), "agnes-bench-"));
const partRows = Math.round(rows / 21);

try {
  const loaded = await extract(() => freshBatches(rows));
  console.log(`${loaded.tables[0]!.parts} parts of ${rows} rows`);
  const clustered: number[] = [];
  const spread: number[] = [];
  for (let round = 1; round <= 3; round++) {
    clustered.push(
      await merge(
        `side by side, round ${round}`,
        freshBatches(changed, round * Math.round(rows / 5), nextShiftMs()),
      ),
    );
    spread.push(await merge(`spread, round ${round}`, spreadBatches(changed, nextShiftMs())));
  }
  const [few, all] = [Math.min(...clustered), Math.min(...spread)];
  console.log(`clustered ${few.toFixed(2)} s, everything rewritten ${all.toFixed(2)} s`);
  console.log(`ratio ${(few / all).toFixed(2)} (under 0.20)`);
} finally {
  await rm(directory, { recursive: true, force: true });
}

function extract(batches: () => AsyncGenerator<RecordBatch>): Promise<ExtractStats> {
  const plan = { strategy: "incremental", primaryKey: ["id"], cursor: "ts" } as const;
  return extractOne(directory, orders, batches, plan, { partRows });
}

async function merge(what: string, batches: AsyncGenerator<RecordBatch>): Promise<number> {
  const start = performance.now();
  const stats = await extract(() => batches);
  const seconds = (performance.now() - start) / 1000;
  if (stats.totalRows !== rows) throw new Error(`${stats.totalRows} rows were published`);
  const { parts, partsWritten } = stats.tables[0]!;
  console.log(`${what}: ${seconds.toFixed(2)} s, ${partsWritten} of ${parts} parts rewritten`);
  return seconds;
}

/** A time that no row has had yet, so that every merge changes its rows. */
function nextShiftMs(): number {
  return rows * 1000 * ++merges;
}

/** Single rows from all over the table. */
async function* spreadBatches(count: number, shiftMs: number): AsyncGenerator<RecordBatch> {
  const step = Math.floor(rows / count);
  for (let at = 0; at < count; at += batchRows) {
    const size = Math.min(batchRows, count - at);
    const batch = makeBatch(at, size, shiftMs);
    const id = batch.data.children[0]!.values as BigInt64Array;
    for (let row = 0; row < size; row++) id[row] = BigInt((at + row) * step);
    yield batch;
  }
}
