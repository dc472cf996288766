import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import * as arrow from "apache-arrow";

import { listGenerations, readExtract } from "../../lib/extract/mod.ts";
import { int64, table, timestamp, utf8, type Batch } from "../../lib/kit/mod.ts";
import { openBench, planOf } from "./harness.ts";

const orders = table("orders", {
  id: int64({ nullable: false }),
  name: utf8({ description: "who" }),
  at: timestamp(),
});
const rows = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ({ id: from + i, name: `n${from + i}`, at: new Date(1e12 + i) }));

test("extractSource() publishes Parquet parts behind a self-describing extract.duckdb", async () => {
  await using bench = await openBench();
  const stats = await bench.run([planOf(orders, { description: "All orders" })], function* () {
    yield rows(10);
    yield rows(5, 10);
  });
  expect(stats).toMatchObject({
    tablesExtracted: 1,
    tablesFailed: 0,
    tablesSkipped: 0,
    totalRows: 15,
    generation: 1,
  });
  const columns = await bench.rows(
    "SELECT column_name AS n, data_type AS t, is_nullable AS x FROM duckdb_columns() WHERE table_name = '_meta' ORDER BY column_index",
  );
  expect(columns).toEqual([
    { n: "table_name", t: "VARCHAR", x: false },
    { n: "description", t: "VARCHAR", x: true },
    { n: "rows", t: "BIGINT", x: true },
    { n: "size_bytes", t: "BIGINT", x: true },
    { n: "extracted_at", t: "TIMESTAMP", x: true },
    { n: "query_mode", t: "VARCHAR", x: true },
  ]);
  expect(await bench.rows("SELECT table_name, description, rows, query_mode FROM _meta")).toEqual([
    { table_name: "orders", description: "All orders", rows: 15n, query_mode: "local" },
  ]);
  expect(await bench.rows("SELECT count(*) AS n, max(name) AS m FROM orders")).toEqual([{ n: 15n, m: "n9" }]);
  const state = await readExtract(bench.services.host.files, bench.directory);
  expect(state?.tables[0]?.columns).toEqual([
    { name: "id", type: "BIGINT", nullable: false },
    { name: "name", type: "VARCHAR", nullable: true, description: "who" },
    { name: "at", type: "TIMESTAMP", nullable: true },
  ]);
  const part = state!.tables[0]!.parts[0]!;
  expect(part.path).toBe(`data/orders/${part.sha256.slice(0, 32)}.parquet`);
  expect(
    await bench.rows("SELECT table_name FROM duckdb_tables() WHERE table_name = '_remote_attach'"),
  ).toEqual([]);
});

test("extractSource() splits a table into parts of bounded size and keeps every row", async () => {
  await using bench = await openBench();
  const stats = await bench.run(
    [planOf(orders)],
    function* () {
      for (let from = 0; from < 100_000; from += 5_000) yield rows(5_000, from);
    },
    { partRows: 20_000 },
  );
  expect(stats.tables[0]).toMatchObject({ rowsRead: 100_000, rows: 100_000 });
  expect(stats.tables[0]!.parts).toBeGreaterThanOrEqual(4);
  expect(await bench.rows("SELECT count(DISTINCT id) AS n, sum(id) AS s FROM orders")).toEqual([
    { n: 100_000n, s: expect.anything() },
  ]);
});

test("extractSource() publishes a typed table without rows when the source is empty", async () => {
  await using bench = await openBench();
  await bench.run([planOf(orders)], () => [rows(3)]);
  const stats = await bench.run([planOf(orders)], () => []);
  expect(stats.tables[0]).toMatchObject({ status: "extracted", rows: 0, parts: 1 });
  expect(await bench.rows("SELECT column_name AS n, column_type AS t FROM (DESCRIBE orders)")).toEqual([
    { n: "id", t: "BIGINT" },
    { n: "name", t: "VARCHAR" },
    { n: "at", t: "TIMESTAMP" },
  ]);
  expect(await bench.rows("SELECT * FROM orders")).toEqual([]);
});

test("extractSource() publishes nothing when the source reports no changes", async () => {
  await using bench = await openBench();
  const states: unknown[] = [];
  const read = async function* (_: unknown, options: { state?: unknown }): AsyncGenerator<Batch, object> {
    states.push(options.state);
    if (options.state !== undefined) return { unchanged: true };
    yield rows(3);
    return { state: { etag: "a" } };
  };
  await bench.run([planOf(orders)], { read } as never);
  const stats = await bench.run([planOf(orders)], { read } as never);
  expect(states).toEqual([undefined, { etag: "a" }]);
  expect(stats).toMatchObject({
    tablesExtracted: 0,
    tablesSkipped: 1,
    generation: 1,
    published: false,
    totalRows: 3,
  });
  const full = await bench.run([planOf(orders)], { read } as never, { full: true });
  expect(full.tables[0]).toMatchObject({ full: true, rowsRead: 3, status: "unchanged" });
  expect(full.generation).toBe(1);
});

test("extractSource() keeps the parts of origins that did not change", async () => {
  await using bench = await openBench();
  const file = async (name: string, text: string) => {
    const path = join(bench.root, name);
    await bench.services.host.files.write(path, text, { replace: true });
    return { kind: "file", format: "csv", data: path, origin: name } as const;
  };
  const info = table("t", { id: int64(), name: utf8() });
  const [a, b] = [await file("a.csv", "id,name\n1,007\n"), await file("b.csv", "id,name\n2,x\n")];
  await bench.run([planOf(info)], function* () {
    yield a;
    yield b;
    return { state: 1 };
  });
  const before = (await readExtract(bench.services.host.files, bench.directory))!.tables[0]!.parts;
  const b2 = await file("b.csv", "id,name\n2,y\n3,z\n");
  await bench.run([planOf(info)], function* () {
    yield b2;
    return { state: 2, kept: ["a.csv"] };
  });
  expect(await bench.rows("SELECT * FROM t ORDER BY id")).toEqual([
    { id: 1n, name: "007" },
    { id: 2n, name: "y" },
    { id: 3n, name: "z" },
  ]);
  const after = (await readExtract(bench.services.host.files, bench.directory))!.tables[0]!.parts;
  expect(after.map((part) => part.path)).toContain(before.find((part) => part.origin === "a.csv")!.path);
  await bench.run([planOf(info)], function* () {
    yield* [];
    return { state: 3, kept: ["b.csv"] };
  });
  expect(await bench.rows("SELECT count(*) AS n FROM t")).toEqual([{ n: 2n }]);
});

test("extractSource() reads Arrow batches, row objects and files in one read", async () => {
  await using bench = await openBench();
  const info = table("t", { id: int64(), name: utf8() });
  const path = join(bench.root, "x.ndjson");
  await bench.services.host.files.write(path, '{"id":3,"name":"c"}\n');
  const bytes = async function* () {
    yield new TextEncoder().encode("id,name\n4,");
    yield new TextEncoder().encode("d\n");
  };
  await bench.run([planOf(info)], function* () {
    yield [{ id: 1, name: "a" }];
    // Narrower integers and another order of columns are valid.
    yield arrow.tableFromArrays({ name: ["b"], id: new Int32Array([2]) }).batches[0]!;
    yield { kind: "file", format: "ndjson", data: path };
    yield { kind: "file", format: "csv", data: bytes() };
    yield [{ id: 5n }];
  });
  expect(await bench.rows("SELECT * FROM t ORDER BY id")).toEqual([
    { id: 1n, name: "a" },
    { id: 2n, name: "b" },
    { id: 3n, name: "c" },
    { id: 4n, name: "d" },
    { id: 5n, name: null },
  ]);
  expect(
    (await readdir(join(bench.directory, "data", "t"))).filter((name) => !name.endsWith(".parquet")),
  ).toEqual([]);
});

test("extractSource() applies columns and conditions that the connector ignored", async () => {
  await using bench = await openBench();
  const requests: unknown[] = [];
  const plan = planOf(orders, {
    columns: ["name"],
    primaryKey: ["id"],
    filter: [
      { column: "id", operator: "ge", values: [3] },
      { column: "name", operator: "ne", values: ["n5", "n'6"] },
      { column: "at", operator: "lt", values: [new Date(1e12 + 8)] },
    ],
  });
  await bench.run([plan], (_, options) => {
    requests.push(options.columns);
    return [rows(10)];
  });
  expect(requests).toEqual([["id", "name", "at"]]);
  expect(await bench.rows("SELECT * FROM orders ORDER BY id")).toEqual([
    { id: 3n, name: "n3" },
    { id: 4n, name: "n4" },
    { id: 6n, name: "n6" },
    { id: 7n, name: "n7" },
  ]);
});

test("extractSource() keeps tables that were not requested, and removes those not in `keep`", async () => {
  await using bench = await openBench();
  const [a, b, c] = ["a", "b", "c"].map((name) => table(name, { id: int64() }));
  await bench.run([planOf(a!), planOf(b!), planOf(c!)], () => [[{ id: 1 }]]);
  await bench.run([planOf(a!)], () => [[{ id: 2 }]]);
  expect(await bench.rows("SELECT table_name AS t FROM _meta ORDER BY t")).toEqual([
    { t: "a" },
    { t: "b" },
    { t: "c" },
  ]);
  await bench.run([planOf(a!)], () => [[{ id: 3 }]], { keep: ["B"] });
  expect(await bench.rows("SELECT table_name AS t FROM _meta ORDER BY t")).toEqual([{ t: "a" }, { t: "b" }]);
});

test("extractSource() writes the same parts for the same rows and keeps three earlier generations", async () => {
  await using bench = await openBench();
  for (let run = 0; run < 6; run++) await bench.run([planOf(orders)], () => [rows(run)]);
  const generations = await listGenerations(bench.services.host.files, bench.directory);
  expect(generations.map((g) => [g.number, g.rows, g.current])).toEqual([
    [6, 5, true],
    [5, 4, false],
    [4, 3, false],
    [3, 2, false],
  ]);
});

test("extractSource() streams 100,000 rows and keeps few of them in memory", async () => {
  await using bench = await openBench();
  const seen: number[] = [];
  const pages: WeakRef<object>[] = [];
  let alive = 0;
  await bench.run(
    [planOf(orders)],
    async function* () {
      for (let batch = 0; batch < 100; batch++) {
        const page = rows(1_000, batch * 1_000);
        pages.push(new WeakRef(page[0]!));
        yield page;
      }
      Bun.gc(true);
      alive = pages.filter((page) => page.deref() !== undefined).length;
    } as never,
    { onProgress: (progress) => seen.push(progress.rows) },
  );
  expect(await bench.rows("SELECT count(*) AS n, count(DISTINCT id) AS d FROM orders")).toEqual([
    { n: 100_000n, d: 100_000n },
  ]);
  expect(seen.at(-1)).toBe(100_000);
  // A batch of 8192 rows consists of nine pages; one more may be in progress.
  expect(alive).toBeLessThan(20);
});

test("extractSource() keeps the text of a JSON file unchanged, and keys that only later rows have", async () => {
  await using bench = await openBench();
  const info = table("t", { at: utf8(), code: utf8(), more: utf8(), late: int64() });
  const path = join(bench.root, "x.ndjson");
  const line = (n: number) => ({ at: "2026-01-01T00:00:00Z", code: "007", more: { x: n } });
  const lines = Array.from({ length: 30_000 }, (_, n) =>
    JSON.stringify(n === 29_999 ? { ...line(n), late: 5 } : line(n)),
  );
  await bench.services.host.files.write(path, lines.join("\n"));
  await bench.run([planOf(info)], () => [{ kind: "file", format: "ndjson", data: path }]);
  expect(await bench.rows("SELECT * FROM t WHERE late = 5")).toEqual([
    { at: "2026-01-01T00:00:00Z", code: "007", more: '{"x":29999}', late: 5n },
  ]);
});

test("extractSource() reads a CSV file by the declared types, regardless of its first rows", async () => {
  await using bench = await openBench();
  const info = table("t", { id: int64(), code: utf8(), day: timestamp(), n: utf8() });
  const path = join(bench.root, "x.csv");
  const lines = Array.from(
    { length: 30_000 },
    (_, i) => `${i},007,31/01/2026 10:00:00,${i > 25_000 ? "x" : i}`,
  );
  await bench.services.host.files.write(path, `id,code,day,n\n${lines.join("\n")}\n`);
  const csv = { timestampFormat: "%d/%m/%Y %H:%M:%S" };
  const stats = await bench.run([planOf(info)], () => [{ kind: "file", format: "csv", data: path, csv }]);
  expect(stats.errors).toEqual([]);
  expect(
    await bench.rows("SELECT count(*) AS n, min(code) AS c, max(n) AS x, max(day)::VARCHAR AS d FROM t"),
  ).toEqual([{ n: 30_000n, c: "007", x: "x", d: "2026-01-31 10:00:00" }]);
});
