import { expect, test } from "bun:test";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";

import { AgnesError } from "../../lib/base/mod.ts";
import { extractSource, readExtract } from "../../lib/extract/mod.ts";
import { int64, table, timestamp, utf8, type Row } from "../../lib/kit/mod.ts";
import { codeOf, connectorOf, incremental, openBench, sourceOf, type ReadFunction } from "./harness.ts";

const info = table(
  "t",
  { id: int64({ nullable: false }), v: utf8(), at: int64() },
  { primaryKey: ["id"], cursor: "at" },
);
const rows = (count: number, from = 0, at = 0, v = "old") =>
  Array.from({ length: count }, (_, i) => ({ id: from + i, v, at: at + from + i }));

test("extractSource() passes the cursor and merges by key", async () => {
  await using bench = await openBench();
  const cursors: unknown[] = [];
  const source = [...rows(10)];
  const read = (_: unknown, { cursor }: { cursor?: unknown }) => {
    cursors.push(cursor);
    return [source];
  };
  await bench.run([incremental(info)], read as never);
  source.push({ id: 3, v: "new", at: 100 }, { id: 11, v: "new", at: 101 });
  const stats = await bench.run([incremental(info)], read as never);
  expect(cursors).toEqual([undefined, { column: "at", value: "9", inclusive: true }]);
  expect(stats.tables[0]).toMatchObject({ full: false, rows: 11, rowsRead: 12 });
  expect(await bench.rows("SELECT id FROM t WHERE v = 'new' ORDER BY id")).toEqual([{ id: 3n }, { id: 11n }]);
  expect((await readExtract(bench.services.host.files, bench.directory))!.tables[0]!.cursor).toEqual({
    column: "at",
    value: "101",
  });
  const third = await bench.run([incremental(info)], read as never);
  expect(third).toMatchObject({ tablesSkipped: 1, published: false, generation: 2 });
});

test("extractSource() rewrites only the parts with affected rows", async () => {
  await using bench = await openBench();
  await bench.run(
    [incremental(info)],
    function* () {
      for (let from = 0; from < 40_000; from += 2_000) yield rows(2_000, from);
    },
    { partRows: 2_000 },
  );
  const before = (await readExtract(bench.services.host.files, bench.directory))!.tables[0]!.parts;
  expect(before.length).toBeGreaterThanOrEqual(4);
  const stats = await bench.run([incremental(info)], () => [rows(100, 5_000, 100_000, "new")], {
    partRows: 2_000,
  });
  const after = (await readExtract(bench.services.host.files, bench.directory))!.tables[0]!.parts;
  const kept = after.filter((part) => before.some((old) => old.path === part.path));
  expect(stats.tables[0]!.partsWritten).toBeLessThanOrEqual(2);
  expect(kept.length).toBe(before.length - stats.tables[0]!.partsWritten);
  expect(
    await bench.rows(
      "SELECT count(*) AS n, count(DISTINCT id) AS d, count(*) FILTER (v = 'new') AS c FROM t",
    ),
  ).toEqual([{ n: 40_000n, d: 40_000n, c: 100n }]);
});

test("extractSource() keeps the last row of a key in one read", async () => {
  await using bench = await openBench();
  const many = [...rows(5), { id: 2, v: "second", at: 1 }];
  await bench.run([incremental(info)], () => [many, [{ id: 4, v: "last", at: 0 }]]);
  expect(await bench.rows("SELECT id, v FROM t WHERE v <> 'old' ORDER BY id")).toEqual([
    { id: 2n, v: "second" },
    { id: 4n, v: "last" },
  ]);
  await bench.run([incremental(info)], () => [
    [
      { id: 2, v: "x", at: 500 },
      { id: 2, v: "y", at: 400 },
    ],
  ]);
  expect(await bench.rows("SELECT id, v FROM t WHERE id = 2")).toEqual([{ id: 2n, v: "y" }]);
  expect(await bench.rows("SELECT count(*) AS n FROM t")).toEqual([{ n: 5n }]);
});

test("extractSource() keeps rows without a cursor value, and without duplicates if there is a key", async () => {
  await using bench = await openBench();
  const read = () => [
    [
      { id: 1, v: "a", at: null },
      { id: 2, v: "b", at: 5 },
    ] as Row[],
  ];
  await bench.run([incremental(info)], read);
  expect(await bench.rows("SELECT count(*) AS n FROM t")).toEqual([{ n: 2n }]);
  const again = await bench.run([incremental(info)], read);
  expect(again.published).toBe(false);
  await bench.run([incremental(info)], () => [[{ id: 3, v: "c", at: null }]]);
  expect(await bench.rows("SELECT count(*) AS n FROM t")).toEqual([{ n: 3n }]);
});

test("extractSource() appends without a key, notes that, and reads only later rows", async () => {
  await using bench = await openBench();
  const plan = incremental(info, { primaryKey: [] });
  await bench.run([plan], () => [rows(3)]);
  const stats = await bench.run([plan], () => [
    [...rows(3), { id: 1, v: "again", at: 50 }, { id: 9, v: "n", at: null }],
  ]);
  expect(stats.tables[0]!.notes.join()).toContain("appended");
  expect(await bench.rows('SELECT id, v FROM t ORDER BY "at"')).toEqual([
    { id: 0n, v: "old" },
    { id: 1n, v: "old" },
    { id: 2n, v: "old" },
    { id: 1n, v: "again" },
  ]);
});

test("extractSource() reads a table in full when its parts are missing", async () => {
  await using bench = await openBench();
  const cursors: unknown[] = [];
  const read = (_: unknown, { cursor }: { cursor?: unknown }) => {
    cursors.push(cursor);
    return [rows(10)];
  };
  await bench.run([incremental(info)], read as never);
  await rm(join(bench.directory, "data"), { recursive: true });
  const stats = await bench.run([incremental(info)], read as never);
  expect(cursors).toEqual([undefined, undefined]);
  expect(stats.tables[0]).toMatchObject({ full: true, rows: 10 });
  expect(stats.tables[0]!.notes.join()).toContain("missing");
  expect(await bench.rows("SELECT count(*) AS n FROM t")).toEqual([{ n: 10n }]);
});

test("extractSource() reads a table in full when its configuration changed or a full run is requested", async () => {
  await using bench = await openBench();
  const cursors: unknown[] = [];
  const read = (_: unknown, { cursor }: { cursor?: unknown }) => {
    cursors.push(cursor === undefined ? "all" : "new");
    return [rows(4)];
  };
  await bench.run([incremental(info)], read as never);
  await bench.run(
    [incremental(info, { filter: [{ column: "id", operator: "gt", values: [1] }] })],
    read as never,
  );
  expect(await bench.rows("SELECT count(*) AS n FROM t")).toEqual([{ n: 2n }]);
  await bench.run([incremental(info)], read as never, { full: true });
  await bench.run([incremental(info)], read as never);
  expect(cursors).toEqual(["all", "all", "all", "new"]);
});

test("extractSource() merges by a key of several columns and of text", async () => {
  await using bench = await openBench();
  const pair = table(
    "pair",
    { a: utf8({ nullable: false }), b: timestamp({ nullable: false }), v: int64(), at: int64() },
    { primaryKey: ["a", "b"], cursor: "at" },
  );
  const at = (day: number) => new Date(Date.UTC(2026, 0, day));
  const long = "x".repeat(300);
  await bench.run([incremental(pair)], () => [
    [
      { a: "it's", b: at(1), v: 1, at: 1 },
      { a: "it's", b: at(2), v: 2, at: 1 },
      { a: long, b: at(1), v: 3, at: 1 },
    ],
  ]);
  await bench.run([incremental(pair)], () => [
    [
      { a: "it's", b: at(2), v: 20, at: 2 },
      { a: `${long}y`, b: at(1), v: 4, at: 2 },
      { a: long, b: at(1), v: 30, at: 2 },
    ],
  ]);
  expect(await bench.rows("SELECT v FROM pair ORDER BY v")).toEqual([
    { v: 1n },
    { v: 4n },
    { v: 20n },
    { v: 30n },
  ]);
});

test("extractSource() does not move the cursor of a table that fails, nor when nothing can be published", async () => {
  await using bench = await openBench();
  const cursors: unknown[] = [];
  const read = (fails: boolean): ReadFunction =>
    function* (_, { cursor }) {
      cursors.push(cursor?.value);
      yield rows(3, 10);
      if (fails) throw new Error("cut off");
    };
  await bench.run([incremental(info)], () => [rows(2)]);
  expect((await bench.run([incremental(info)], read(true))).tablesFailed).toBe(1);
  const { files } = bench.services.host;
  const rename: typeof files.rename = async (from, to) => {
    if (to.endsWith("extract.duckdb")) throw new AgnesError("disk_full", { path: to });
    await files.rename(from, to);
  };
  const full = { ...bench.services, host: { ...bench.services.host, files: { ...files, rename } } };
  const request = { directory: bench.directory, tables: [incremental(info)] };
  const run = extractSource(full, { ...request, source: sourceOf(connectorOf(read(false))) });
  expect(await codeOf(run)).toBe("disk_full");
  await bench.run([incremental(info)], read(false));
  expect(cursors).toEqual(["1", "1", "1"]);
  expect(await bench.rows("SELECT count(*) AS n FROM t")).toEqual([{ n: 5n }]);
});

const loose = table("t", { id: int64(), v: utf8(), at: int64() }, { primaryKey: ["id"], cursor: "at" });

test("extractSource() fails a table with a null key and removes all files of the read", async () => {
  await using bench = await openBench();
  const stats = await bench.run([incremental(loose)], () => [[{ id: null, v: "a", at: 1 }]]);
  expect(stats.errors[0]?.error.code).toBe("primary_key_null");
  expect(stats.errors[0]?.error.message).toContain("(id)");
  expect(await readdir(join(bench.directory, "data", "t"))).toEqual([]);
});

test("extractSource() quarantines rows with a null key if the table enables it, and keeps the others in order", async () => {
  for (const strategy of ["incremental", "partitioned"] as const) {
    await using bench = await openBench();
    const plan = incremental(loose, {
      quarantine: true,
      quarantineMaxPercent: 20,
      strategy,
      ...(strategy === "partitioned" ? { partitionBy: "at" } : {}),
    });
    const read: ReadFunction = (_, { cursor }) =>
      cursor === undefined
        ? [rows(3), [{ id: null, v: "lost", at: 9 }], [{ id: 2, v: "last", at: 4 }]]
        : [[{ id: null, v: "again", at: 10 }]];
    const first = await bench.run([plan], read, { partRows: 4 });
    expect(first.tables[0]).toMatchObject({ status: "extracted", rows: 3, rowsRead: 5, rowsQuarantined: 1 });
    expect(await bench.rows("SELECT v FROM t WHERE id = 2")).toEqual([{ v: "last" }]);
    const [line] = (await Bun.file(first.tables[0]!.quarantinePath!).text()).trim().split("\n");
    expect(JSON.parse(line!)).toEqual({
      row: 4,
      column: "id",
      value: "null",
      reason: "the primary key is null",
      record: { id: null, v: "lost", at: 9 },
    });
    // An unpublished row does not move the cursor.
    expect((await readExtract(bench.services.host.files, bench.directory))?.tables[0]?.cursor?.value).toBe(
      "4",
    );
    const second = await bench.run([plan], read);
    expect(second.tables[0]).toMatchObject({ status: "unchanged", rows: 3, rowsQuarantined: 1 });
  }
});

test("extractSource() compacts small parts", async () => {
  await using bench = await openBench();
  for (let run = 0; run < 12; run++) {
    await bench.run([incremental(info)], () => [rows(3, run * 3)]);
  }
  expect(
    (await readExtract(bench.services.host.files, bench.directory))!.tables[0]!.parts.length,
  ).toBeLessThanOrEqual(9);
  expect(await bench.rows("SELECT count(*) AS n, count(DISTINCT id) AS d FROM t")).toEqual([
    { n: 36n, d: 36n },
  ]);
});
