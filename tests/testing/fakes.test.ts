import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { fakeHost, recordingLog } from "agnes/testing";

import { nodeFiles, publishFile } from "../../lib/base/mod.ts";
import { seededRandom } from "../../lib/testing/fakes/fake-host.ts";
import { faultyFiles } from "../fakes/faulty-files.ts";

describe("fakeHost()", () => {
  test("fakeHost() advances its clock only by sleep() and advance()", async () => {
    const host = fakeHost({ startsAt: new Date("2026-05-01T00:00:00Z") });
    const startedMs = performance.now();
    await host.sleep(3_600_000);
    host.advance(500);
    expect(performance.now() - startedMs).toBeLessThan(1000);
    expect(host.now().toISOString()).toBe("2026-05-01T01:00:00.500Z");
    expect([host.monotonicMs(), host.sleeps]).toEqual([3_600_500, [3_600_000]]);
  });

  test("fakeHost() rejects an aborted sleep, and has neither network nor environment", async () => {
    const host = fakeHost();
    expect(await host.sleep(1, AbortSignal.abort()).catch((error: unknown) => error)).toMatchObject({
      code: "aborted",
    });
    expect(await host.fetch("https://example.com").catch((error: Error) => error.message)).toContain(
      "no network",
    );
    expect(host.env).toEqual({});
  });

  test("seededRandom() is deterministic for a seed and spreads over [0, 1)", () => {
    const numbers = (seed: number) => Array.from({ length: 1000 }, seededRandom(seed));
    expect(numbers(7)).toEqual(numbers(7));
    expect(numbers(7)).not.toEqual(numbers(8));
    const mean = numbers(7).reduce((sum, one) => sum + one, 0) / 1000;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.05);
    expect(numbers(7).every((one) => one >= 0 && one < 1)).toBe(true);
  });
});

describe("recordingLog()", () => {
  test("recordingLog() records entries unchanged", () => {
    const log = recordingLog();
    log.warn("slow", { table: "orders", token: "s3cret" });
    log.debug("done");
    expect(log.entries.map(({ level, message }) => `${level} ${message}`)).toEqual([
      "warn slow",
      "debug done",
    ]);
    expect(log.text()).toContain("s3cret");
  });
});

describe("faultyFiles()", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "agnes-faulty-"));
  });
  afterEach(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  test("faultyFiles() fails each operation of a publish in turn, and the old file stays until the rename", async () => {
    const path = join(directory, "a.json");
    const publish = (at: number, text: string) => {
      const files = faultyFiles(nodeFiles(), { at });
      return publishFile({ files, random: seededRandom(at) }, path, text).then(
        () => ({ files, error: null }),
        (error: unknown) => ({ files, error }),
      );
    };
    const { files: counting } = await publish(Infinity, "old");
    expect(counting.count).toBeGreaterThan(3);
    for (let at = 1; at <= counting.count; at += 1) {
      const { error } = await publish(at, "new");
      const text = new TextDecoder().decode((await nodeFiles().read(path))!);
      expect(error).toMatchObject({ code: "disk_full" });
      // The last operation makes the rename durable; before the rename nothing changes.
      expect(text).toBe(at === counting.count ? "new" : "old");
    }
  });

  test("faultyFiles() keeps failing with a permanent fault, and counts only the selected operations", async () => {
    const files = faultyFiles(nodeFiles(), { at: 2, operations: ["read"], stays: true, code: "EIO" });
    expect(await files.read(join(directory, "x"))).toBeNull();
    for (const _ of [1, 2]) {
      expect(await files.read(join(directory, "x")).catch((error: unknown) => error)).toMatchObject({
        code: "file_failed",
      });
    }
    expect(await files.list(directory)).toEqual([]);
  });
});
