import { expect, test } from "bun:test";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { TOMBSTONES_KEPT } from "../../lib/extract/format/extract-state.ts";
import { type Batch, type Deletions, type PushEvent } from "../../lib/kit/mod.ts";
import { Spool } from "../../lib/push/mod.ts";
import { openBench } from "../extract/harness.ts";
import { connector, event, merge, plan, push, remove, titles, upsert } from "./issues.ts";

test("runStream() publishes nothing when events change nothing, and knows them when they are replayed", async () => {
  await using bench = await openBench();
  const unversioned = {
    ...plan,
    strategy: "incremental",
    partitionBy: undefined,
    cursor: undefined,
  } as never;
  const run = () => merge(bench, [unversioned]);
  await push(bench, upsert("a", "one", 1));
  expect(await run()).toMatchObject({ published: 1, generation: 1 });
  const [gone] = await push(bench, remove("b"), upsert("a", "one", 1));
  expect(await run()).toMatchObject({ events: 2, published: 0, generation: 1, errors: [] });
  expect((await readdir(join(bench.directory, "spool"))).filter((name) => name.endsWith(".ndjson"))).toEqual(
    [],
  );
  await new Spool(bench.services.host, bench.directory).append([gone!]);
  expect(await run()).toMatchObject({ events: 0, replayed: 1, published: 0 });
  // The next publish takes over the ids.
  await push(bench, upsert("b", "two", 1));
  expect(await run()).toMatchObject({ published: 1, generation: 2 });
  expect(await readdir(join(bench.directory, "spool"))).toEqual([]);
  await new Spool(bench.services.host, bench.directory).append([gone!]);
  expect(await run()).toMatchObject({ replayed: 1, published: 0, generation: 2 });
  expect(await titles(bench)).toEqual(["a one", "b two"]);
});

test("runStream() publishes the deletion of an unknown key once if an older event could insert the row", async () => {
  await using bench = await openBench();
  await push(bench, upsert("a", "one", 1));
  await merge(bench);
  await push(bench, remove("b"));
  expect(await merge(bench)).toMatchObject({ published: 0 });
  await push(bench, remove("b", 5));
  expect(await merge(bench)).toMatchObject({ published: 1, generation: 2 });
  await push(bench, remove("b", 5), remove("b", 4));
  expect(await merge(bench)).toMatchObject({ events: 2, published: 0, generation: 2 });
  await push(bench, upsert("b", "late", 5));
  expect(await merge(bench)).toMatchObject({ published: 0 });
  expect(await titles(bench)).toEqual(["a one"]);
});

test("runStream() fails with a damaged list of merged ids", async () => {
  await using bench = await openBench();
  await push(bench, upsert("a", "one", 1));
  await writeFile(join(bench.directory, "spool", "merged-ids.json"), "[1");
  const failure = await merge(bench).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "extract_unreadable" });
});

test("runStream() remembers all events of a merge, even more than `idsKept`", async () => {
  await using bench = await openBench();
  const keyed = (title: string): PushEvent => ({ ...event(upsert("a", title, 1)), orderingKey: "a" });
  const burst = ["old", "older", "new"].map(keyed);
  const spool = new Spool(bench.services.host, bench.directory);
  await spool.append(burst);
  await merge(bench, [plan], { idsKept: 1 });
  await spool.append([burst[0]!]);
  expect(await merge(bench, [plan], { idsKept: 1 })).toMatchObject({ events: 0, replayed: 1, published: 0 });
  expect(await titles(bench)).toEqual(["a new"]);
});

test("extractSource() publishes repeated deletions once, even if they are more than it keeps tombstones for", async () => {
  await using bench = await openBench();
  const read = (...batches: readonly (Batch | Deletions)[]) =>
    bench.run([plan], { ...connector, read: () => inTurn(batches) } as never);
  await read([{ id: "b", title: "b", updated: 6, created: null }]);
  const keys = Array.from({ length: TOMBSTONES_KEPT * 2 }, (_, at) => ({ id: `gone ${at}` }));
  expect(await read({ kind: "deletions", keys })).toMatchObject({ published: true });
  expect(await read({ kind: "deletions", keys: keys.toReversed() })).toMatchObject({ published: false });
});

async function* inTurn(batches: readonly (Batch | Deletions)[]) {
  yield* batches;
}
