import { expect, test } from "bun:test";

import { decimal, int64, table, utf8, type Change, type PushEvent, type Row } from "../../lib/kit/mod.ts";
import { runStream, Spool } from "../../lib/push/mod.ts";
import { incremental, openBench, sourceOf, type Bench } from "../extract/harness.ts";

const fields = { id: decimal(10, 2, { nullable: false }), name: utf8(), version: int64() };
const plan = incremental(table("t", fields, { primaryKey: ["id"], cursor: "version" }));

const connector = {
  verify: async () => [],
  async *stream(events: AsyncIterable<PushEvent>): AsyncIterable<Change> {
    for await (const { body } of events) yield body as unknown as Change;
  },
};

let nextEvent = 1;

async function push(bench: Bench, ...changes: readonly Change[]): Promise<void> {
  const events = changes.map((change) => ({ id: `e${nextEvent++}`, body: change as never }));
  const { directory, services } = bench;
  await new Spool(services.host, directory).append(events);
  const source = sourceOf(connector as never);
  expect((await runStream(services, { directory, source, tables: [plan] })).errors).toEqual([]);
}

const upsert = (id: number, version: number | null, name = `at ${version}`): Change => ({
  kind: "upsert",
  table: "t",
  row: { id, version, name },
});
const remove = (id: number, version?: number): Change => ({
  kind: "delete",
  table: "t",
  key: { id, ...(version === undefined ? {} : { version }) },
});
const row = (id: number, version: number | null): Row => ({ id, version, name: `read at ${version}` });
const read = (bench: Bench, rows: readonly Row[], options = {}) => bench.run([plan], () => [rows], options);

const names = async (bench: Bench) =>
  (await bench.rows<{ t: string }>("SELECT id::INT || ' ' || name AS t FROM t ORDER BY id")).map(
    ({ t }) => t,
  );

test("runStream() lets later changes and reads restore a row that an event deleted without a version", async () => {
  await using bench = await openBench();
  await read(bench, [row(1, null), row(2, 9)]);
  // The version of row 1 is null, and rows 3 and 4 are unknown.
  await push(bench, remove(1), remove(3), remove(4));
  expect(await names(bench)).toEqual(["2 read at 9"]);
  await push(bench, upsert(1, 3), upsert(3, 4));
  expect(await names(bench)).toEqual(["1 at 3", "2 read at 9", "3 at 4"]);
  await read(bench, [row(4, 10)]);
  expect(await names(bench)).toEqual(["1 at 3", "2 read at 9", "3 at 4", "4 read at 10"]);
});

test("runStream() lets a later row without a version restore a deleted row, as within one batch", async () => {
  await using bench = await openBench();
  await read(bench, [row(1, 5), row(2, 5)]);
  await push(bench, remove(1));
  await push(bench, upsert(1, null));
  await push(bench, remove(2), upsert(2, null, "in one batch"));
  await push(bench, upsert(3, 7));
  expect(await bench.rows("SELECT id::INT AS id FROM t ORDER BY id")).toEqual([
    { id: 1 },
    { id: 2 },
    { id: 3 },
  ]);
});

test("runStream() ignores events older than a deletion when another deletion follows it", async () => {
  await using bench = await openBench();
  await read(bench, [row(1, 5), row(2, 5)]);
  await push(bench, remove(1, 8), remove(2, 8));
  await push(bench, remove(1, 6), remove(2));
  await push(bench, upsert(1, 7), upsert(2, 7), upsert(3, 1));
  expect(await names(bench)).toEqual(["3 at 1"]);
  await push(bench, upsert(1, 9), upsert(2, 9));
  expect(await names(bench)).toEqual(["1 at 9", "2 at 9", "3 at 1"]);
  // The same in one batch.
  await push(bench, upsert(4, 5), remove(4), remove(4), upsert(4, 4));
  expect(await names(bench)).toEqual(["1 at 9", "2 at 9", "3 at 1"]);
});

test("extractSource() keeps the deletions of events whose rows a read of all rows does not yield", async () => {
  await using bench = await openBench();
  await read(bench, [row(1, 5), row(2, 5), row(3, 9)]);
  await push(bench, remove(1), remove(2));
  await read(bench, [row(2, 5), row(3, 9)], { full: true });
  expect(await names(bench)).toEqual(["2 read at 5", "3 read at 9"]);
  await push(bench, upsert(1, 4), upsert(2, 5));
  expect(await names(bench)).toEqual(["2 at 5", "3 read at 9"]);
});

test("extractSource() keeps the deletions of events when a read of all rows yields the same rows or none", async () => {
  await using bench = await openBench();
  await push(bench, upsert(1, 5), upsert(2, 5), remove(1, 6));
  await read(bench, [row(2, 5)], { full: true });
  expect(await read(bench, [row(2, 5)], { full: true })).toMatchObject({ published: false });
  await read(bench, [], { full: true });
  await push(bench, upsert(1, 6), upsert(3, 1));
  expect(await names(bench)).toEqual(["3 at 1"]);
});

test("extractSource() forgets the deletions of events when the version is another column", async () => {
  await using bench = await openBench();
  await read(bench, [row(1, 5), row(2, 5)]);
  await push(bench, remove(1));
  const other = incremental(table("t", fields, { primaryKey: ["id"], cursor: "name" }));
  await bench.run([other], () => [[row(2, 5)]]);
  const { directory, services } = bench;
  await new Spool(services.host, directory).append([{ id: "other", body: upsert(1, 4, "a") as never }]);
  await runStream(services, { directory, source: sourceOf(connector as never), tables: [other] });
  expect(await names(bench)).toEqual(["1 a", "2 read at 5"]);
});
