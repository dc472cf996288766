import { expect, test } from "bun:test";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { readExtract, type TablePlan } from "../../lib/extract/mod.ts";
import { int64, table, timestamp, utf8, type Change, type PushEvent, type Row } from "../../lib/kit/mod.ts";
import { runStream, Spool } from "../../lib/push/mod.ts";
import { incremental, openBench, sorted, sourceOf, type Bench } from "../extract/harness.ts";

const columns = { id: int64({ nullable: false }), issue_id: int64(), body: utf8(), created: timestamp() };
const comments = table("comments", columns, { primaryKey: ["id"] });
const plan = incremental(comments);

const connector = {
  verify: async () => [],
  async *stream(events: AsyncIterable<PushEvent>): AsyncIterable<Change> {
    for await (const { body } of events) yield body as unknown as Change;
  },
};

const comment = (id: number, issue: unknown, body: string, more: Row = {}): Row => ({
  id,
  issue_id: issue,
  body,
  ...more,
});
const upsert = (row: Row): Change => ({ kind: "upsert", table: "comments", row });
const remove = (id: number): Change => ({ kind: "delete", table: "comments", key: { id } });
const replace = (issue: unknown, ...rows: readonly Row[]): Change => ({
  kind: "replace",
  table: "comments",
  parent: { issue_id: issue },
  rows,
});

let nextEvent = 1;

async function push(bench: Bench, ...changes: readonly Change[]): Promise<void> {
  const events = changes.map((change) => ({ id: `e${nextEvent++}`, body: change as never }));
  await new Spool(bench.services.host, bench.directory).append(events);
}

const merge = (bench: Bench, one: TablePlan = plan) =>
  runStream(bench.services, {
    directory: bench.directory,
    source: sourceOf(connector as never),
    tables: [one],
  });

const bodies = async (bench: Bench) =>
  (
    await bench.rows<{ t: string }>(
      "SELECT concat_ws(' ', issue_id, id, body) AS t FROM comments ORDER BY issue_id, id",
    )
  ).map((row) => row.t);

test("runStream() replaces all rows of a parent and no others, in one publish", async () => {
  await using bench = await openBench();
  const read = () => [[comment(1, 5, "a"), comment(2, 5, "b"), comment(3, 6, "c"), comment(4, null, "d")]];
  await bench.run([plan], read);
  await push(bench, replace(5, comment(2, 5, "b2"), comment(9, 5, "new")));
  const stats = await merge(bench);
  expect(stats).toMatchObject({ published: 1, generation: 2, upserts: 2, deletes: 1, errors: [] });
  expect(await bodies(bench)).toEqual(["5 2 b2", "5 9 new", "6 3 c", "4 d"]);
});

test("runStream() deletes all rows of a parent that is replaced by none", async () => {
  await using bench = await openBench();
  await bench.run([plan], () => [[comment(1, 5, "a"), comment(2, 6, "b")]]);
  await push(bench, replace(5), replace(7));
  expect(await merge(bench)).toMatchObject({ upserts: 0, deletes: 1 });
  expect(await bodies(bench)).toEqual(["6 2 b"]);
  await push(bench, replace(6));
  await merge(bench);
  expect(await bodies(bench)).toEqual([]);
});

test("runStream() inserts the rows of a replaced parent into a table that is not extracted yet", async () => {
  await using bench = await openBench();
  await push(bench, replace(5, comment(1, 5, "a")));
  expect(await merge(bench)).toMatchObject({ generation: 1, upserts: 1, deletes: 0 });
  expect(await bodies(bench)).toEqual(["5 1 a"]);
});

test("runStream() copies a replacement before the connector continues", async () => {
  await using bench = await openBench();
  await push(bench, replace(5), replace(6));
  const row: Record<string, unknown> = {};
  const rows = [row];
  const reusing = {
    verify: async () => [],
    async *stream(events: AsyncIterable<PushEvent>): AsyncIterable<Change> {
      for await (const { body } of events) {
        const { parent } = body as unknown as Extract<Change, { kind: "replace" }>;
        Object.assign(row, { id: parent["issue_id"], body: "own", ...parent });
        yield { kind: "replace", table: "comments", parent, rows };
      }
      rows.length = 0;
    },
  };
  const source = sourceOf(reusing as never);
  await runStream(bench.services, { directory: bench.directory, source, tables: [plan] });
  expect(await bodies(bench)).toEqual(["5 5 own", "6 6 own"]);
});

test("runStream() applies replacements, upserts and deletions of one batch in order", async () => {
  await using bench = await openBench();
  await bench.run([plan], () => [[comment(1, 5, "a"), comment(2, 6, "moves"), comment(3, 7, "moves too")]]);
  await push(
    bench,
    upsert(comment(10, 5, "before")),
    upsert(comment(2, 8, "moved away")),
    replace(5, comment(11, 5, "listed")),
    replace(6),
    upsert(comment(12, 5, "after")),
    remove(11),
    replace(7, comment(13, 7, "old list")),
    replace("7", comment(14, 7, "new list")),
    upsert(comment(14, 9, "left")),
  );
  await merge(bench);
  expect(await bodies(bench)).toEqual(["5 12 after", "8 2 moved away", "9 14 left"]);
});

test("runStream() identifies parents by several columns, and by different ones in one batch", async () => {
  await using bench = await openBench();
  const at = new Date("2026-01-02T03:04:05Z");
  await bench.run([plan], () => [
    [
      comment(1, 5, "a", { created: at }),
      comment(2, 5, "b", { created: null }),
      comment(3, 6, "a"),
      comment(4, 7, "a", { created: at }),
    ],
  ]);
  const both = {
    kind: "replace",
    table: "comments",
    parent: { issue_id: 5, created: at },
    rows: [],
  } as const;
  await push(bench, both, {
    kind: "replace",
    table: "comments",
    parent: { issue_id: 6, body: "a" },
    rows: [],
  });
  await merge(bench);
  expect(await bodies(bench)).toEqual(["5 2 b", "7 4 a"]);
  const late = comment(8, 7, "late", { created: at.toISOString() });
  await push(bench, upsert(late), {
    kind: "replace",
    table: "comments",
    parent: { created: "2026-01-02 03:04:05" },
    rows: [],
  });
  await merge(bench);
  expect(await bodies(bench)).toEqual(["5 2 b"]);
});

test("runStream() replaces rows in all partitions", async () => {
  await using bench = await openBench();
  const partitioned = { ...plan, strategy: "partitioned", partitionBy: "created" } as const;
  const row = (id: number, month: string, issue = 5) =>
    comment(id, issue, month, { created: `2026-${month}-10T00:00:00Z` });
  await push(
    bench,
    upsert(row(1, "01")),
    upsert(row(2, "02")),
    upsert(row(3, "03", 6)),
    upsert(row(4, "03")),
  );
  await merge(bench, partitioned);
  await push(bench, replace(5, row(2, "04"), row(5, "01")));
  await merge(bench, partitioned);
  expect(await bodies(bench)).toEqual(["5 2 04", "5 5 01", "6 3 03"]);
  const { parts } = (await readExtract(bench.services.host.files, bench.directory))!.tables[0]!;
  expect(sorted(parts.map(({ partition }) => partition))).toEqual(["2026-01", "2026-03", "2026-04"]);
});

test("runStream() publishes the rows of a replacement regardless of their version, and ignores older events", async () => {
  await using bench = await openBench();
  const versioned = table(
    "comments",
    { ...columns, updated: int64() },
    { primaryKey: ["id"], cursor: "updated" },
  );
  const own = incremental(versioned);
  const row = (id: number, issue: number, updated: number) => comment(id, issue, `v${updated}`, { updated });
  await bench.run([own], () => [[row(1, 5, 9), row(2, 5, 9), row(3, 5, 9)]]);
  await push(bench, remove(3), replace(5, row(1, 5, 4), row(3, 5, 2)));
  await merge(bench, own);
  expect(await bodies(bench)).toEqual(["5 1 v4", "5 3 v2"]);
  await push(bench, upsert(row(1, 5, 3)), upsert(row(2, 5, 9)), upsert(row(3, 5, 3)));
  await merge(bench, own);
  expect(await bodies(bench)).toEqual(["5 1 v4", "5 3 v3"]);
  await push(bench, replace(5, row(2, 5, 9)), upsert(row(1, 5, 3)));
  await merge(bench, own);
  expect(await bodies(bench)).toEqual(["5 2 v9"]);
});

test("runStream() fails the table when a row of a replacement has another parent", async () => {
  const failureOf = async (change: Change) => {
    await using own = await openBench();
    await own.run([plan], () => [[comment(1, 5, "a")]]);
    await push(own, change);
    const { errors, published } = await merge(own);
    expect(published).toBe(0);
    expect(await bodies(own)).toEqual(["5 1 a"]);
    expect((await readdir(join(own.directory, "spool"))).length).toBe(1);
    return errors[0]!.error;
  };
  const other = await failureOf(replace(5, comment(2, 6, "b")));
  expect(other.code).toBe("replace_invalid");
  expect(other.message).toContain('table "comments": column "issue_id" is 6: the value of the parent is 5');
  expect((await failureOf(replace(5, { id: 2 }))).message).toContain('column "issue_id" is null');
  expect((await failureOf(replace(null, comment(2, null, "b")))).message).toContain(
    'column "issue_id" is null: the value of the parent is null',
  );
  expect((await failureOf({ ...replace(5), parent: { issue: 5 } } as Change)).message).toContain(
    'column "issue" is 5: the table has no such column',
  );
  expect((await failureOf(replace("five"))).code).toBe("value_invalid");
  expect((await failureOf(replace(5, { issue_id: 5 }))).code).toBe("primary_key_null");
});

test("runStream() quarantines invalid rows of a replacement and keeps their published versions", async () => {
  await using bench = await openBench();
  const quarantining = { ...plan, quarantine: true };
  await bench.run([quarantining], () => [[1, 2, 3, 4].map((id) => comment(id, 5, "published"))]);
  await push(
    bench,
    replace(
      5,
      comment(1, 5, "new"),
      comment(2, 5, "bad", { created: "never" }),
      comment(3, 6, "another parent"),
      { issue_id: 5, body: "no key" },
    ),
    replace(null, comment(7, null, "no parent")),
    replace("five"),
  );
  const stats = await merge(bench, quarantining);
  expect(stats).toMatchObject({ errors: [], published: 1, rowsQuarantined: 5, upserts: 1, deletes: 1 });
  expect(await bodies(bench)).toEqual(["5 1 new", "5 2 published", "5 3 published"]);
  const folder = join(bench.directory, "quarantine", "comments");
  const text = await readFile(join(folder, (await readdir(folder))[0]!), "utf8");
  const found = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { column: string; value: string });
  expect(found.map(({ column, value }) => `${column} ${value}`).sort()).toEqual([
    'created "never"',
    "id null",
    'issue_id "five"',
    "issue_id 6",
    "issue_id null",
  ]);
});
