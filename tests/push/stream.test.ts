import { expect, test } from "bun:test";
import { readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { freshEvents } from "../../lib/push/events.ts";
import { readExtract } from "../../lib/extract/mod.ts";
import type { Batch, Change, Deletions, PushEvent } from "../../lib/kit/mod.ts";
import { Spool } from "../../lib/push/mod.ts";
import { parseSpool } from "../../lib/push/spool.ts";
import { openBench, sorted, sourceOf } from "../extract/harness.ts";
import { connector, event, merge, plan, push, remove, titles, upsert } from "./issues.ts";

test("runStream() merges spooled events into the partitions of the records' months, with one rewrite each", async () => {
  await using bench = await openBench();
  await push(bench, upsert("a", "one", 1), upsert("b", "two", 1, "2025-12-01T00:00:00Z"));
  await push(bench, upsert("a", "one again", 2), upsert("c", "three", 1));
  const stats = await merge(bench);
  expect(stats).toMatchObject({ events: 4, upserts: 3, partsWritten: 2, published: 1, generation: 1 });
  expect(await titles(bench)).toEqual(["a one again", "b two", "c three"]);
  expect(await readdir(join(bench.directory, "spool"))).toEqual([]);
  await push(bench, upsert("d", "four", 5));
  const next = await merge(bench);
  expect(next.partsWritten).toBe(1);
  const parts = (await readExtract(bench.services.host.files, bench.directory))!.tables[0]!.parts;
  expect(sorted(parts.map((part) => part.partition))).toEqual(["2025-12", "2026-01"]);
});

test("runStream() copies each change before the connector continues", async () => {
  await using bench = await openBench();
  await push(bench, upsert("a", "one", 1), upsert("b", "two", 1));
  const change: { kind: "upsert"; table: string; row: Record<string, unknown> } = {
    kind: "upsert",
    table: "issues",
    row: {},
  };
  const reusing = {
    verify: async () => [],
    async *stream(events: AsyncIterable<PushEvent>): AsyncIterable<Change> {
      for await (const { body } of events) {
        Object.assign(change.row, (body as unknown as typeof change).row);
        yield change as Change;
      }
    },
  };
  await merge(bench, [plan], { source: sourceOf(reusing as never) });
  expect(await titles(bench)).toEqual(["a one", "b two"]);
});

test("runStream() changes nothing when events are replayed", async () => {
  await using bench = await openBench();
  const events = await push(bench, upsert("a", "one", 1), upsert("b", "two", 1));
  await merge(bench);
  await new Spool(bench.services.host, bench.directory).append([...events, events[0]!]);
  expect(await merge(bench)).toMatchObject({ events: 0, replayed: 3, published: 0, generation: 1 });
  expect(await titles(bench)).toEqual(["a one", "b two"]);
  expect(await readdir(join(bench.directory, "spool"))).toEqual([]);
});

test("runStream() keeps the newest version in any order of events", async () => {
  await using bench = await openBench();
  await push(bench, upsert("a", "new", 5), upsert("a", "old", 4));
  await merge(bench);
  await push(bench, upsert("a", "older", 3), upsert("b", "b", 1));
  await merge(bench);
  expect(await titles(bench)).toEqual(["a new", "b b"]);
});

test("runStream() deletes rows, and an older event does not restore them", async () => {
  await using bench = await openBench();
  await push(bench, upsert("a", "one", 5), upsert("b", "two", 5));
  await merge(bench);
  await push(bench, remove("a"));
  expect(await merge(bench)).toMatchObject({ deletes: 1 });
  expect(await titles(bench)).toEqual(["b two"]);
  await push(bench, upsert("a", "late", 4), upsert("z", "never seen", 1));
  await merge(bench);
  expect(await titles(bench)).toEqual(["b two", "z never seen"]);
  await push(bench, upsert("a", "made again", 9));
  await merge(bench);
  expect(await titles(bench)).toEqual(["a made again", "b two", "z never seen"]);
  await push(bench, remove("b", 3));
  await merge(bench);
  expect(await titles(bench)).toContain("b two");
});

test("runStream() deletes a row between other changes of it as if they were merged one by one", async () => {
  await using bench = await openBench();
  await push(bench, upsert("a", "one", 6), upsert("b", "one", 5), upsert("c", "one", 8));
  await merge(bench);
  await push(bench, upsert("a", "two", 7), remove("a"), upsert("n", "new", 6), remove("n"));
  await push(bench, remove("b"), upsert("b", "late", 4), upsert("c", "late", 7), remove("c"));
  await merge(bench);
  expect(await titles(bench)).toEqual([]);
  await push(
    bench,
    upsert("a", "late", 7),
    upsert("b", "late", 5),
    upsert("c", "late", 8),
    upsert("n", "late", 6),
  );
  await merge(bench);
  expect(await titles(bench)).toEqual([]);
  await push(bench, upsert("a", "made again", 8), upsert("n", "made again", 7));
  await merge(bench);
  expect(await titles(bench)).toEqual(["a made again", "n made again"]);
});

test("runStream() passes on only the last waiting event of an ordering key, in the order of the events", async () => {
  await using bench = await openBench();
  const passed: string[] = [];
  const noting = {
    ...connector,
    async *stream(events: AsyncIterable<PushEvent>): AsyncIterable<Change> {
      for await (const { id, body } of events) {
        passed.push(id);
        yield body as unknown as Change;
      }
    },
  };
  const keyed = (id: string, orderingKey: string | undefined, title: string): PushEvent => ({
    ...event(upsert(id[0]!, title, 1), id),
    ...(orderingKey === undefined ? {} : { orderingKey }),
  });
  const run = () => merge(bench, [plan], { source: sourceOf(noting as never) });
  const spool = new Spool(bench.services.host, bench.directory);
  const first = [keyed("a1", "a", "old"), keyed("b1", "b", "only"), keyed("x1", undefined, "first")];
  const second = [keyed("a2", "a", "new"), keyed("x2", undefined, "second")];
  await spool.append(first);
  await spool.append(second);
  expect(await run()).toMatchObject({ events: 4, superseded: 1, replayed: 0, published: 1 });
  expect(passed).toEqual(["b1", "x1", "a2", "x2"]);
  expect(await titles(bench)).toEqual(["a new", "b only", "x second"]);
  // The superseded event is merged with its successor, so its replay is known. A replayed successor supersedes nothing.
  passed.length = 0;
  await spool.append([...first, keyed("a3", "a", "newest"), ...second]);
  expect(await run()).toMatchObject({ events: 1, superseded: 0, replayed: 5 });
  expect(passed).toEqual(["a3"]);
});

test("runStream() keeps a superseded event until its successor is published", async () => {
  await using bench = await openBench();
  const keyed = (id: string, change: Change): PushEvent => ({ ...event(change, id), orderingKey: "a" });
  const bad: Change = { kind: "upsert", table: "issues", row: { id: "a", updated: "x" } };
  const spool = new Spool(bench.services.host, bench.directory);
  await spool.append([keyed("e1", upsert("a", "good", 1))]);
  await spool.append([keyed("e2", bad)]);
  expect(await merge(bench)).toMatchObject({ published: 0, superseded: 0 });
  expect((await readdir(join(bench.directory, "spool"))).length).toBe(2);
  expect((await readExtract(bench.services.host.files, bench.directory))?.eventIds ?? []).toEqual([]);
  await spool.append([keyed("e3", upsert("a", "better", 1))]);
  expect(await merge(bench)).toMatchObject({ published: 1, events: 1, superseded: 2 });
  expect(await titles(bench)).toEqual(["a better"]);
});

test("extractSource() does not restore a row that an event deleted", async () => {
  await using bench = await openBench();
  const read = (rows: readonly object[]) => () => [rows as never];
  await bench.run([plan], read([{ id: "a", created: null, title: "x", updated: 5 }]));
  await push(bench, remove("a"));
  await merge(bench);
  await bench.run(
    [plan],
    read([
      { id: "a", created: null, title: "x", updated: 5 },
      { id: "b", created: null, title: "y", updated: 6 },
    ]),
  );
  expect(await titles(bench)).toEqual(["b y"]);
});

test("runStream() does not restore a row that a read reported as deleted, unless an event or read is newer", async () => {
  await using bench = await openBench();
  const read = (...batches: readonly (Batch | Deletions)[]) =>
    bench.run([plan], { ...connector, read: () => inTurn(batches) } as never);
  const row = (id: string, updated: number) => ({ id, title: `at ${updated}`, updated, created: null });
  const gone = (id: string): Deletions => ({ kind: "deletions", keys: [{ id }] });
  await read([row("a", 1), row("b", 2), row("c", 3)]);
  // The read covers all versions up to 6.
  await read(gone("a"), gone("new"), [row("b", 6)]);
  await push(bench, upsert("a", "older", 1), upsert("a", "late", 5), upsert("new", "late", 6));
  await merge(bench);
  expect(await titles(bench)).toEqual(["b at 6", "c at 3"]);
  await push(bench, upsert("a", "made again", 7));
  await merge(bench);
  expect(await titles(bench)).toEqual(["a made again", "b at 6", "c at 3"]);
  // A later read restores a row even with that version, and later events apply again.
  await read([row("new", 6), row("b", 8)]);
  expect(await titles(bench)).toEqual(["a made again", "b at 8", "c at 3", "new at 6"]);
  await push(bench, upsert("new", "changed", 6));
  await merge(bench);
  expect(await titles(bench)).toEqual(["a made again", "b at 8", "c at 3", "new changed"]);
});

test("runStream() inserts no row for an older event when a read reported only its deletion", async () => {
  await using bench = await openBench();
  const read = (...batches: readonly (Batch | Deletions)[]) =>
    bench.run([plan], { ...connector, read: () => inTurn(batches) } as never);
  const gone: Deletions = { kind: "deletions", keys: [{ id: "new" }] };
  await read([{ id: "b", title: "b", updated: 6, created: null }]);
  expect((await read(gone)).tables[0]).toMatchObject({ rowsDeleted: 0, rows: 1 });
  await push(bench, upsert("c", "another row", 4));
  await merge(bench);
  await push(bench, upsert("new", "late", 5), upsert("new", "late", 6));
  await merge(bench);
  expect(await titles(bench)).toEqual(["b b", "c another row"]);
  // A repeated deletion changes nothing.
  expect(await read(gone)).toMatchObject({ published: false });
  await push(bench, upsert("new", "made", 7));
  await merge(bench);
  expect(await titles(bench)).toEqual(["b b", "c another row", "new made"]);
});

test("runStream() publishes an empty table when the last row is deleted", async () => {
  await using bench = await openBench();
  await push(bench, upsert("a", "one", 5));
  await merge(bench);
  await push(bench, remove("a"));
  await merge(bench);
  expect(await titles(bench)).toEqual([]);
});

test("runStream() keeps events that a table cannot apply", async () => {
  await using bench = await openBench();
  await push(bench, upsert("a", "one", 5), {
    kind: "upsert",
    table: "issues",
    row: { id: "b", updated: "x" },
  });
  const stats = await merge(bench);
  expect(stats.errors[0]?.error.code).toBe("value_invalid");
  expect(stats.published).toBe(0);
  expect((await readdir(join(bench.directory, "spool"))).length).toBe(1);
});

test("runStream() quarantines invalid changes and changes without a key when the table enables it", async () => {
  await using bench = await openBench();
  const bad: readonly Change[] = [
    { kind: "upsert", table: "issues", row: { id: "b", updated: "x" } },
    { kind: "upsert", table: "issues", row: { title: "nobody's", updated: 1 } },
    { kind: "delete", table: "issues", key: { id: null } },
  ];
  await push(bench, ...bad, upsert("a", "one", 5));
  expect((await merge(bench)).errors[0]?.error.code).toBe("primary_key_null");
  expect((await readdir(join(bench.directory, "spool"))).length).toBe(1);
  const stats = await merge(bench, [{ ...plan, quarantine: true }]);
  expect(stats).toMatchObject({ errors: [], published: 1, upserts: 1, deletes: 0, rowsQuarantined: 3 });
  expect(await titles(bench)).toEqual(["a one"]);
  expect(await readdir(join(bench.directory, "spool"))).toEqual([]);
  const folder = join(bench.directory, "quarantine", "issues");
  const text = await readFile(join(folder, (await readdir(folder))[0]!), "utf8");
  const lines = text.trim().split("\n");
  expect(lines.map((line) => (JSON.parse(line) as { column: string }).column)).toEqual([
    "updated",
    "id",
    "id",
  ]);
});

test("runStream() sets invalid values of pushed rows to null when the table enables it, but not keys and versions", async () => {
  await using bench = await openBench();
  const nulling = { ...plan, invalidValues: "set_null" } as const;
  const change = (id: string, row: object): Change => ({
    kind: "upsert",
    table: "issues",
    row: { id, ...row },
  });
  await push(bench, change("a", { title: "one", created: "soon", updated: 5 }));
  expect((await merge(bench, [nulling])).errors).toEqual([]);
  expect(await bench.rows("SELECT id, title, created FROM issues")).toEqual([
    { id: "a", title: "one", created: null },
  ]);
  expect(bench.log.filter(({ level }) => level === "warn").map(({ message }) => message)).toEqual([
    "created: 1 value is not TIMESTAMP and was set to null",
  ]);
  // The published null is read again once values may no longer be null.
  const { tables } = (await readExtract(bench.services.host.files, bench.directory))!;
  expect(tables[0]!.rejecting).toEqual({ rows: 0, nulled: true, schemaPolicy: "evolve" });
  await push(bench, change("b", { title: "two", updated: "x" }));
  expect((await merge(bench, [nulling])).errors[0]?.error.code).toBe("value_invalid");
});

test("runStream() removes temporary files of crashed writers, and none that may still be written", async () => {
  await using bench = await openBench();
  await push(bench, upsert("a", "one", 5));
  const spool = join(bench.directory, "spool");
  for (const name of ["old", "new"]) await writeFile(join(spool, `${name}.ndjson.tmp`), "{");
  await utimes(join(spool, "old.ndjson.tmp"), 1, 1);
  await merge(bench);
  expect(await readdir(spool)).toEqual(["new.ndjson.tmp"]);
});

test("runStream() quarantines a damaged spool file and merges the others", async () => {
  await using bench = await openBench();
  await push(bench, upsert("a", "one", 5));
  await writeFile(join(bench.directory, "spool", "0-damaged.ndjson"), 'not json\n{"id":"x","body":1}\n');
  await merge(bench);
  expect(await titles(bench)).toEqual(["a one"]);
  expect(await readdir(join(bench.directory, "quarantine", "spool"))).toEqual(["0-damaged.ndjson"]);
  expect(bench.log.some((entry) => entry.level === "error")).toBe(true);
});

test("Spool.append() makes events durable before it resolves, many in one file", async () => {
  await using bench = await openBench();
  const spool = new Spool(bench.services.host, bench.directory);
  await Promise.all(Array.from({ length: 50 }, (_, i) => spool.append([{ id: `${i}`, body: i }])));
  const names = await readdir(join(bench.directory, "spool"));
  expect(names.length).toBeLessThan(10);
  const lines = await Promise.all(
    names.sort().map((name) => readFile(join(bench.directory, "spool", name), "utf8")),
  );
  const ids = lines.flatMap((text) => parseSpool(text, () => {})!).map(({ id }) => Number(id));
  expect(ids).toEqual(Array.from({ length: 50 }, (_, i) => i));
});

test("parseSpool() skips a torn last line and rejects earlier damage", () => {
  const torn: string[] = [];
  expect(parseSpool('{"id":"a","body":1}\n{"id":"b","bo', (reason) => torn.push(reason))).toEqual([
    { id: "a", body: 1 },
  ]);
  expect(torn.length).toBe(1);
  expect(parseSpool('{"id":"a"}\n{"id":"b","body":1}\n', () => {})).toBeNull();
});

test("freshEvents() remembers a bounded number of ids", () => {
  const events = ["a", "b", "a", "c"].map((id) => ({ id, body: null }));
  expect(freshEvents(["b"], events, 2)).toEqual({
    fresh: [
      { id: "a", body: null },
      { id: "c", body: null },
    ],
    superseded: 0,
    remember: ["a", "c"],
  });
});

async function* inTurn(batches: readonly (Batch | Deletions)[]) {
  yield* batches;
}

test("runStream() ends although events arrive faster than it merges them", async () => {
  await using bench = await openBench();
  const arriving = {
    ...connector,
    async *stream(events: AsyncIterable<PushEvent>): AsyncIterable<Change> {
      await push(bench, upsert("late", "later", 1));
      yield* connector.stream(events);
    },
  };
  await push(bench, upsert("a", "one", 1));
  await push(bench, upsert("b", "two", 1));
  const source = sourceOf(arriving as never);
  expect(await merge(bench, [plan], { source, eventsMax: 1 })).toMatchObject({ events: 2, published: 2 });
  expect(await titles(bench)).toEqual(["a one", "b two"]);
  expect(await merge(bench)).toMatchObject({ events: 2 });
});
