import { expect, test } from "bun:test";

import { AgnesError } from "../../../lib/base/mod.ts";
import type { MetadataStatus } from "../../../lib/metadata/mod.ts";
import { metadataJob } from "../../../lib/serve/runs/metadata-job.ts";

const START_MS = Date.parse("2026-11-27T00:00:00Z");
const MINUTE_MS = 60_000;

/** A cache whose refreshes take no time, and whose last one was at `lastMs`. */
function cacheOf(lastMs: number | null, canRefresh = true) {
  const cache = {
    lastMs,
    nowMs: START_MS,
    refreshed: [] as number[],
    looks: 0,
    isRunning: false,
  };
  const metadata = {
    async status() {
      cache.looks += 1;
      const startedAt = cache.lastMs === null ? null : new Date(cache.lastMs).toISOString();
      return {
        intervalSeconds: 600,
        lastRun: startedAt === null ? null : { startedAt },
        tables: [{ canRefresh }],
      } as unknown as MetadataStatus;
    },
    async refresh() {
      if (cache.isRunning)
        throw new AgnesError("already_running", { what: "a refresh", runId: "r", startedAt: "" } as never);
      cache.refreshed.push((cache.nowMs - START_MS) / MINUTE_MS);
      cache.lastMs = cache.nowMs;
    },
  };
  const job = metadataJob(metadata as never);
  const until = async (minutes: number) => {
    for (; cache.nowMs <= START_MS + minutes * MINUTE_MS; cache.nowMs += MINUTE_MS / 2)
      await job.run(new Date(cache.nowMs), new AbortController().signal);
  };
  return { cache, until };
}

test("metadataJob() refreshes at once, and then at the interval", async () => {
  const { cache, until } = cacheOf(null);
  await until(35);
  expect(cache.refreshed).toEqual([0, 10, 20, 30]);
});

test("metadataJob() continues the interval of an earlier process, and looks seldom", async () => {
  const { cache, until } = cacheOf(START_MS - 4 * MINUTE_MS);
  await until(15);
  expect(cache.refreshed).toEqual([6]);
  expect(cache.looks).toBeLessThan(4);
});

test("metadataJob() refreshes although the last refresh was in the future", async () => {
  const { cache, until } = cacheOf(START_MS + 60 * MINUTE_MS);
  await until(5);
  expect(cache.refreshed).toEqual([0]);
});

test("metadataJob() refreshes nothing if no table can be refreshed, or another process does", async () => {
  const none = cacheOf(null, false);
  await none.until(25);
  expect(none.cache.refreshed).toEqual([]);
  const other = cacheOf(null);
  other.cache.isRunning = true;
  await other.until(5);
  other.cache.isRunning = false;
  await other.until(25);
  expect(other.cache.refreshed).toEqual([10, 20]);
});
