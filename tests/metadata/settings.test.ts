import { expect, test } from "bun:test";

import { createLog } from "agnes";

import { metadataSettings } from "../../lib/metadata/settings.ts";
import { withWarehouse } from "./warehouse.ts";

const settingsOf = (interval?: string, concurrency?: string) =>
  metadataSettings({
    SCHEDULER_BQ_METADATA_REFRESH_INTERVAL: interval,
    AGNES_BQ_METADATA_REFRESH_CONCURRENCY: concurrency,
  });

test("metadataSettings() reads interval and concurrency; fresh are two intervals", () => {
  const initial = { intervalSeconds: 14_400, freshSeconds: 28_800, concurrency: 4, problems: [] };
  expect(settingsOf()).toEqual(initial);
  expect(settingsOf("", " ")).toEqual(initial);
  expect(settingsOf(" 600 ", "16")).toEqual({
    intervalSeconds: 600,
    freshSeconds: 1200,
    concurrency: 16,
    problems: [],
  });
});

test("metadataSettings() uses the default of a bad value, with a problem that names it", () => {
  for (const bad of ["0", "-5", "4h", "1e3", "NaN", "1.5", "9".repeat(400)]) {
    const { intervalSeconds, concurrency, problems } = settingsOf(bad, bad);
    expect([bad, intervalSeconds, concurrency, problems.length]).toEqual([bad, 14_400, 4, 2]);
    expect(problems[0]).toMatch(/^SCHEDULER_BQ_METADATA_REFRESH_INTERVAL is .*so 14400 is used$/);
    expect(problems[1]).toMatch(/^AGNES_BQ_METADATA_REFRESH_CONCURRENCY is .*so 4 is used$/);
  }
  expect(settingsOf(undefined, "65")).toMatchObject({ concurrency: 4 });
});

test("a bad value is warned of once and fails nothing", async () => {
  const warnings: string[] = [];
  const log = createLog(({ level, message }) => {
    if (level === "warn") warnings.push(message);
  });
  const env = { SCHEDULER_BQ_METADATA_REFRESH_INTERVAL: "soon" };
  await withWarehouse(
    async (agnes) => {
      expect(warnings).toEqual([]);
      expect((await agnes.metadata.status()).intervalSeconds).toBe(14_400);
      await agnes.metadata.refresh();
    },
    { env, log },
  );
  expect(warnings).toEqual([
    expect.stringContaining('SCHEDULER_BQ_METADATA_REFRESH_INTERVAL is "soon"') as string,
  ]);
});
