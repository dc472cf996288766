import { expect, test } from "bun:test";
import { cp, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { AgnesError } from "../../lib/base/mod.ts";
import { changeExtract, listGenerations, readExtract, rollbackExtract } from "../../lib/extract/mod.ts";
import { planSweep } from "../../lib/extract/publish/sweep.ts";
import { int64, table } from "../../lib/kit/mod.ts";
import { codeOf, incremental, openBench, planOf, sourceOf } from "./harness.ts";

const info = table("t", { id: int64() });
const HOUR_MS = 60 * 60 * 1000;

test("planSweep() removes parts that are unreferenced for the whole grace period", () => {
  const known = { "data/t/a": 1000, "data/t/b": 5000, "data/t/future": 9_999_999, "data/t/back": 0 };
  const present = ["data/t/a", "data/t/b", "data/t/new", "data/t/used", "data/t/future", "data/t/back"];
  const referenced = new Set(["data/t/used", "data/t/back"]);
  expect(planSweep(present, referenced, known, { ms: 11_000, graceMs: 10_000 })).toEqual({
    remove: ["data/t/a"],
    remember: { "data/t/b": 5000, "data/t/new": 11_000, "data/t/future": 11_000 },
  });
});

test("extractSource() removes parts an hour after the last kept generation referred to them", async () => {
  let nowMs = Date.UTC(2026, 0, 1);
  await using bench = await openBench({ now: () => new Date(nowMs) });
  const parts = async () => (await readdir(join(bench.directory, "data", "t"))).length;
  for (let run = 0; run < 6; run++) await bench.run([planOf(info)], () => [[{ id: run }]]);
  expect(await parts()).toBe(6);
  nowMs += HOUR_MS - 1000;
  await bench.run([planOf(info)], () => [[{ id: 6 }]]);
  expect(await parts()).toBe(7);
  nowMs += 2000;
  await bench.run([planOf(info)], () => [[{ id: 7 }]]);
  // Parts of four generations are kept, and those unreferenced for less than an hour.
  expect(await parts()).toBe(6);
  expect((await listGenerations(bench.services.host.files, bench.directory)).length).toBe(4);
});

test("extractSource() removes temporary files of crashed runs", async () => {
  await using bench = await openBench();
  await bench.run([planOf(info)], () => [[{ id: 1 }]]);
  await writeFile(join(bench.directory, "extract.duckdb.1.x.tmp"), "");
  await writeFile(join(bench.directory, ".lock.1.x.tmp"), "");
  await writeFile(join(bench.directory, "extract.duckdb.1.x.tmp.wal"), "");
  await mkdir(join(bench.directory, "data", "t", "part.1.x.tmp", "agnes_partition=1"), { recursive: true });
  await bench.run([planOf(info)], () => [[{ id: 1 }]]);
  const names = await readdir(bench.directory, { recursive: true });
  expect(names.filter((name) => name.includes(".tmp"))).toEqual([]);
});

test("rollbackExtract() publishes an earlier generation as a new one, with its cursor", async () => {
  await using bench = await openBench();
  const plan = planOf(table("t", { id: int64() }), {
    strategy: "incremental",
    primaryKey: ["id"],
    cursor: "id",
  });
  await bench.run([plan], () => [[{ id: 1 }]]);
  await bench.run([plan], () => [[{ id: 2 }]]);
  expect(await rollbackExtract(bench.services, bench.directory, 1, "ann")).toBe(3);
  const state = await readExtract(bench.services.host.files, bench.directory);
  expect(state?.generation).toMatchObject({ number: 3, kind: "rollback", actor: "ann" });
  expect(state?.tables[0]?.cursor?.value).toBe("1");
  await bench.run([plan], () => [[{ id: 2 }, { id: 3 }]]);
  expect(await bench.rows("SELECT id FROM t ORDER BY id")).toEqual([{ id: 1n }, { id: 2n }, { id: 3n }]);
  expect(await codeOf(rollbackExtract(bench.services, bench.directory, 99, "ann"))).toBe(
    "generation_unknown",
  );
  const old = (await readExtract(bench.services.host.files, bench.directory))!.tables[0]!.parts[0]!;
  await bench.run([plan], () => [[{ id: 1 }]], { full: true });
  await rm(join(bench.directory, old.path), { force: true });
  await rm(join(bench.directory, "data"), { recursive: true });
  expect(await codeOf(rollbackExtract(bench.services, bench.directory, 2, "ann"))).toBe(
    "generation_incomplete",
  );
});

test("extractSource() rewrites the views when the extract was moved", async () => {
  await using bench = await openBench();
  await bench.run([planOf(info)], () => [[{ id: 1 }]]);
  const moved = join(bench.root, "moved");
  await cp(bench.directory, moved, { recursive: true });
  await rm(bench.directory, { recursive: true });
  const stats = await bench.run([], () => [], { directory: moved });
  expect(stats.published).toBe(true);
  expect((await readExtract(bench.services.host.files, moved))?.generation.directory).toBe(moved);
  await cp(moved, bench.directory, { recursive: true });
  const other = await readExtract(bench.services.host.files, bench.directory);
  expect(other?.tables[0]?.rows).toBe(1);
});

test("changeExtract() logs a warning when old parts cannot be removed", async () => {
  await using bench = await openBench();
  const plan = incremental(
    table("t", { id: int64({ nullable: false }), n: int64() }, { primaryKey: ["id"] }),
  );
  const { host } = bench.services;
  let published = false;
  const list: typeof host.files.list = (path) =>
    published
      ? Promise.reject(new AgnesError("file_failed", { operation: "list", path, reason: "EIO" }))
      : host.files.list(path);
  const services = { ...bench.services, host: { ...host, files: { ...host.files, list } } };
  const { signal } = new AbortController();
  const request = { directory: bench.directory, source: sourceOf({}), signal };
  const changed = await changeExtract(services, request, async (extract) => {
    const changes = [{ kind: "upsert" as const, table: "t", row: { id: 1, n: 2 } }];
    const done = await extract.publish(await extract.read(), {
      tables: [{ plan, changes }],
      eventIds: ["e"],
    });
    published = true;
    return done;
  });
  expect(changed.kind).toBe("published");
  expect(bench.log.map(({ message }) => message)).toContain("old parts could not be removed");
  expect(await bench.rows("SELECT * FROM t")).toEqual([{ id: 1n, n: 2n }]);
});
