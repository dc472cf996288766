import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { seedsTo } from "../seeds.ts";
import { expectAcknowledgedKept } from "./killed-writers.ts";
import { openKilled, startWriter } from "./start-writer.ts";

test("insert() by two processes at once leaves 400 records at 400 sequence numbers", async () => {
  const directory = await mkdtemp(join(tmpdir(), "agnes-processes-"));
  const writers = ["ann", "bob"].map((name) => startWriter(name, 200, [directory]));
  const reports = await Promise.all(writers.map(({ acknowledged }) => acknowledged));
  const catalog = await openKilled(directory);
  const entries = await catalog.history();
  expect(entries.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 400 }, (_, at) => at + 1));
  const acknowledged = reports.flat().map(({ actor, sequence }): [string, number] => [actor, sequence]);
  expect(acknowledged).toHaveLength(400);
  expect(new Map(entries.map(({ actor, sequence }) => [actor, sequence]))).toEqual(new Map(acknowledged));
  await catalog.close();
  await rm(directory, { recursive: true });
});

test("fileStorage() keeps every acknowledged change when writers are killed, under 10 seeds", async () => {
  await expectAcknowledgedKept(seedsTo(10));
}, 180_000);
