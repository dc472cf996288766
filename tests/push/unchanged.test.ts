import { expect, test } from "bun:test";
import { readdir, rename } from "node:fs/promises";
import { join } from "node:path";

import { TOMBSTONES_KEPT } from "../../lib/extract/format/extract-state.ts";
import { rollbackExtract } from "../../lib/extract/mod.ts";
import { type Batch, type Deletions, type PushEvent } from "../../lib/kit/mod.ts";
import { Spool } from "../../lib/push/mod.ts";
import { openBench, type Bench } from "../extract/harness.ts";
import { connector, event, merge, plan, push, remove, titles, upsert } from "./issues.ts";

/** A table without versions, whose repeated changes change nothing. */
const unversioned = { ...plan, strategy: "incremental", partitionBy: undefined, cursor: undefined } as never;

const append = (bench: Bench, events: readonly PushEvent[]) =>
  new Spool(bench.services.host, bench.directory).append(events);

test("runStream() publishes the ids of events that change nothing, and knows them when they are replayed", async () => {
  await using bench = await openBench();
  await push(bench, upsert("a", "one", 1));
  expect(await merge(bench, [unversioned])).toMatchObject({ published: 1, generation: 1 });
  const gone = await push(bench, remove("b"), upsert("a", "one", 1));
  expect(await merge(bench, [unversioned])).toMatchObject({ events: 2, published: 1, errors: [] });
  expect(await readdir(join(bench.directory, "spool"))).toEqual([]);
  await append(bench, gone);
  expect(await merge(bench, [unversioned])).toMatchObject({
    events: 0,
    replayed: 2,
    published: 0,
    generation: 2,
  });
  expect(await titles(bench)).toEqual(["a one"]);
});

test("runStream() applies an event again after a rollback that removed its row", async () => {
  await using bench = await openBench();
  await push(bench, upsert("a", "one", 1));
  await merge(bench, [unversioned]);
  const changed = await push(bench, upsert("a", "two", 2));
  await merge(bench, [unversioned]);
  await push(bench, remove("unknown"));
  await merge(bench, [unversioned]);
  await rollbackExtract(bench.services, bench.directory, 1, "ann");
  expect(await titles(bench)).toEqual(["a one"]);
  await append(bench, changed);
  expect(await merge(bench, [unversioned])).toMatchObject({ events: 1, replayed: 0, published: 1 });
  expect(await titles(bench)).toEqual(["a two"]);
});

test("runStream() applies all events again when the extract was moved away", async () => {
  await using bench = await openBench();
  const first = await push(bench, upsert("a", "one", 1));
  await merge(bench, [unversioned]);
  await push(bench, remove("unknown"));
  await merge(bench, [unversioned]);
  await rename(join(bench.directory, "extract.duckdb"), join(bench.directory, "moved.duckdb"));
  await append(bench, first);
  expect(await merge(bench, [unversioned])).toMatchObject({ events: 1, replayed: 0, published: 1 });
  expect(await titles(bench)).toEqual(["a one"]);
});

test("runStream() remembers the newest ids, in the order of the merges, also of events that changed nothing", async () => {
  await using bench = await openBench();
  const run = () => merge(bench, [unversioned], { idsKept: 4 });
  await push(bench, upsert("a", "one", 1));
  await run();
  await push(bench, ...["b", "c", "d", "e"].map((id) => remove(id)));
  await run();
  const newer = await push(bench, upsert("a", "two", 2), upsert("b", "two", 2), upsert("c", "two", 2));
  await run();
  await push(bench, upsert("d", "two", 2));
  await run();
  await append(bench, newer);
  expect(await run()).toMatchObject({ events: 0, replayed: 3 });
});

test("runStream() inserts no row for an event that is older than the deletion of an unknown key", async () => {
  await using bench = await openBench();
  await push(bench, upsert("a", "one", 1));
  await merge(bench);
  await push(bench, remove("b", 5));
  await merge(bench);
  await push(bench, remove("b", 5), remove("b", 4));
  await merge(bench);
  await push(bench, upsert("b", "late", 5));
  await merge(bench);
  expect(await titles(bench)).toEqual(["a one"]);
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
