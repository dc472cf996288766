import { expect, spyOn, test } from "bun:test";
import { appendFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import * as arrow from "apache-arrow";

import { AgnesError, nodeFiles } from "../../lib/base/mod.ts";
import { Connection } from "../../lib/duckdb/mod.ts";
import { extractSource, listGenerations, readExtract, rollbackExtract } from "../../lib/extract/mod.ts";
import { int64, table, utf8, type Batch } from "../../lib/kit/mod.ts";
import { faultyFiles } from "../fakes/faulty-files.ts";
import {
  codeOf,
  sorted,
  connectorOf,
  incremental,
  openBench,
  planOf,
  sourceOf,
  type ReadFunction,
} from "./harness.ts";

const t = table("t", { id: int64(), name: utf8() });
const good: ReadFunction = () => [[{ id: 1, name: "a" }]];

async function failing(read: ReadFunction, options = {}) {
  await using bench = await openBench();
  const other = table("other", { id: int64(), name: utf8() });
  await bench.run([planOf(t), planOf(other)], good);
  const stats = await bench.run(
    [planOf(t, options), planOf(other)],
    (info, o) => (info.name === "t" ? read(info, o) : [[{ id: 2, name: "b" }]]),
    { idleTimeoutMs: 150 },
  );
  expect(stats).toMatchObject({ tablesFailed: 1, tablesExtracted: 1, generation: 2 });
  expect(await bench.rows("SELECT id FROM t")).toEqual([{ id: 1n }]);
  expect(await bench.rows("SELECT id FROM other")).toEqual([{ id: 2n }]);
  expect((await readdir(join(bench.directory, "data", "t"))).filter((name) => name.endsWith(".tmp"))).toEqual(
    [],
  );
  return stats.errors[0]!.error;
}

test("extractSource() isolates a table whose connector throws in the middle of a read", async () => {
  const error = await failing(function* () {
    yield [{ id: 5, name: "x" }];
    throw new Error("connection reset");
  });
  expect(error.code).toBe("table_read_failed");
  expect(error.message).toContain("connection reset");
});

test("extractSource() passes on an AgnesError unchanged", async () => {
  const thrown = new AgnesError("source_unavailable", { reason: "busy" });
  const error = await failing(() => {
    throw thrown;
  });
  expect(error).toBe(thrown);
});

test("extractSource() fails when the source stalls", async () => {
  const error = await failing(async function* (): AsyncGenerator<Batch> {
    yield [{ id: 5, name: "x" }];
    await new Promise(() => {});
  } as unknown as ReadFunction);
  expect(error.code).toBe("source_stalled");
  expect(error.retry).toBe("transient");
});

test("extractSource() rejects a batch of another schema and names the differences", async () => {
  const error = await failing(() => [
    arrow.tableFromArrays({ id: ["x"], other: new Int32Array([2]) }).batches[0]!,
  ]);
  expect(error.code).toBe("batch_schema_mismatch");
  expect(error.message).toContain("column id is VARCHAR but was declared BIGINT");
  expect(error.message).toContain("column other INTEGER was not declared");
});

test("extractSource() rejects values that are not batches", async () => {
  for (const [value, expected] of [
    [42, "it is 42"],
    [null, "it is null"],
    [undefined, "it is undefined"],
    [{ a: 1 }, "it is an object with the keys a"],
    [{}, "it is an object with no keys"],
    ["rows", 'it is "rows"'],
    [{ kind: "deletions" }, "it is an object of kind deletions without a list of keys"],
    [
      { kind: "file", format: "csv" },
      "it is a file chunk whose data is neither a path nor an async iterable of bytes",
    ],
  ] as const) {
    const error = await failing(() => [[{ id: 1, name: "x" }], value as never]);
    expect([error.code, error.message]).toEqual(["batch_invalid", expect.stringContaining(expected)]);
    expect(error.message).toStartWith("batch 2 of table");
  }
});

test("extractSource() fails a table with an invalid value and names it", async () => {
  const error = await failing(() => [[{ id: 1 }, { id: "seven", name: "x" }]]);
  expect(error.code).toBe("value_invalid");
  expect(error.message).toContain("seven");
});

test("extractSource() fails a table whose file is truncated or has an invalid value", async () => {
  await using bench = await openBench();
  const path = join(bench.root, "bad.parquet");
  await writeFile(path, "PAR1 this is not one");
  const stats = await bench.run([planOf(t)], () => [{ kind: "file", format: "parquet", data: path }]);
  expect(stats.errors[0]?.error.code).toBe("file_unreadable");
  await writeFile(join(bench.root, "bad.csv"), "id,name\n1,a\nseven,b\n");
  const csv: ReadFunction = () => [{ kind: "file", format: "csv", data: join(bench.root, "bad.csv") }];
  const second = await bench.run([planOf(t)], csv);
  expect(second.errors[0]?.error).toMatchObject({
    code: "file_value_invalid",
    details: { line: 3, column: "id", value: "seven", type: "BIGINT" },
  });
  expect(second).toMatchObject({ generation: null, published: false });
});

test("extractSource() quarantines invalid rows if the table enables it", async () => {
  await using bench = await openBench();
  await writeFile(join(bench.root, "bad.csv"), "id,name\n1,a\nseven,b\n3,c\n");
  const stats = await bench.run([planOf(t, { quarantine: true, quarantineMaxPercent: 50 })], function* () {
    yield [
      { id: 10, name: "x" },
      { id: "bad", name: "y" },
    ];
    yield { kind: "file", format: "csv", data: join(bench.root, "bad.csv") };
  });
  expect(stats.tables[0]).toMatchObject({ status: "extracted", rows: 3, rowsQuarantined: 2 });
  expect(await bench.rows("SELECT id FROM t ORDER BY id")).toEqual([{ id: 1n }, { id: 3n }, { id: 10n }]);
  const text = await Bun.file(stats.tables[0]!.quarantinePath!).text();
  const lines = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { column: string; record: { name: string } });
  expect(sorted(lines.map((line) => [line.column, line.record.name]))).toEqual([
    ["id", "b"],
    ["id", "y"],
  ]);
});

test("extractSource() publishes nothing when every table fails", async () => {
  await using bench = await openBench();
  const stats = await bench.run([planOf(t)], () => {
    throw new Error("down");
  });
  expect(stats).toMatchObject({ tablesFailed: 1, generation: null, published: false });
  expect(await readExtract(bench.services.host.files, bench.directory)).toBeNull();
});

test("extractSource() rejects hostile, reserved and duplicate names, and keys that are not columns", async () => {
  await using bench = await openBench();
  const plans = [
    planOf(t, { name: 'x"; DROP TABLE _meta; --' }),
    planOf(t, { name: "_meta" }),
    planOf(t, { name: "ok", primaryKey: ["nope"] }),
    planOf(t, { name: "twice" }),
    planOf(t, { name: "TWICE" }),
    planOf(t, { name: "good" }),
  ];
  const stats = await bench.run(plans, good);
  expect(stats.tables.map((table) => table.error?.code ?? table.status)).toEqual([
    ...Array(5).fill("table_plan_invalid"),
    "extracted",
  ]);
  expect(await bench.rows("SELECT table_name AS n FROM _meta")).toEqual([{ n: "good" }]);
});

test("extractSource() keeps the published table once if two plans have its name", async () => {
  await using bench = await openBench();
  await bench.run([planOf(t, { name: "twice" })], good);
  const count = async () => (await bench.rows("SELECT count(*) AS n FROM _meta"))[0];
  const stats = await bench.run([planOf(t, { name: "twice" }), planOf(t, { name: "TWICE" })], good);
  expect(stats).toMatchObject({ tablesFailed: 2, published: false });
  expect(await count()).toEqual({ n: 1n });
});

test("extractSource() accepts columns with hostile names", async () => {
  await using bench = await openBench();
  const names = ['a"b', "c'd; DROP", "ř 😀", "select"];
  const info = table("t", Object.fromEntries(names.map((name) => [name, int64()])), {
    primaryKey: [names[0]!],
    cursor: names[1]!,
  });
  const row = (n: number) => Object.fromEntries(names.map((name) => [name, n]));
  await bench.run([incremental(info)], () => [[row(1), row(2)]]);
  await bench.run([incremental(info)], () => [[{ ...row(2), select: 20 }, row(3)]]);
  expect(await bench.rows('SELECT "select" AS s FROM t ORDER BY s')).toEqual(
    [{ s: 1n }, { s: 3n }, { s: 20n }].filter((r) => r.s !== 20n || true).sort((a, b) => Number(a.s - b.s)),
  );
});

test("extractSource() stops within a second when aborted, even if the source hangs", async () => {
  await using bench = await openBench();
  await bench.run([planOf(t)], good);
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 100);
  const started = performance.now();
  const run = bench.run(
    [planOf(t)],
    () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) }) as never,
    {
      signal: controller.signal,
    },
  );
  expect(await codeOf(run)).toBe("aborted");
  expect(performance.now() - started).toBeLessThan(1_100);
  expect((await readExtract(bench.services.host.files, bench.directory))?.generation.number).toBe(1);
  await bench.run([planOf(t)], good);
});

test("extractSource() stops a table at its timeout and continues with the others", async () => {
  await using bench = await openBench();
  const endless = async function* (): AsyncGenerator<Batch> {
    for (let id = 0; ; id++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      yield [{ id, name: "x" }];
    }
  };
  const stats = await bench.run(
    [planOf(t), planOf(table("u", { id: int64(), name: utf8() }))],
    ((info: { name: string }) => (info.name === "t" ? endless() : [[{ id: 1 }]])) as never,
    { timeoutMs: 250 },
  );
  expect(stats.errors[0]?.error.code).toBe("timed_out");
  expect(stats.tablesExtracted).toBe(1);
});

test("extractSource() allows one run at a time for an extract", async () => {
  await using bench = await openBench();
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  const first = bench.run([planOf(t)], async function* (): AsyncGenerator<Batch> {
    await held;
    yield [{ id: 1 }];
  } as unknown as ReadFunction);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(await codeOf(bench.run([planOf(t)], good))).toBe("locked");
  release();
  expect((await first).tablesExtracted).toBe(1);
});

test("extractSource() does not replace an extract that it cannot read or did not write", async () => {
  await using bench = await openBench();
  await bench.run([planOf(t)], good);
  const path = join(bench.directory, "extract.duckdb");
  await bench.run([planOf(t)], () => [[{ id: 2 }]]);
  await writeFile(path, "damaged");
  expect(await codeOf(bench.run([planOf(t)], good))).toBe("extract_unreadable");
  expect(await codeOf(readExtract(bench.services.host.files, bench.directory))).toBe("extract_unreadable");
  await rollbackExtract(bench.services, bench.directory, 1, "ann");
  expect(await bench.rows("SELECT id FROM t")).toEqual([{ id: 1n }]);
  // The rows of the source are published again.
  expect(await bench.run([planOf(t)], good)).toMatchObject({ generation: 2, published: false });
});

test("extractSource() removes a stale write-ahead log before it publishes", async () => {
  await using bench = await openBench();
  await bench.run([planOf(t)], good);
  await appendFile(join(bench.directory, "extract.duckdb.wal"), "");
  await bench.run([planOf(t)], () => [[{ id: 7 }]]);
  expect(await readdir(bench.directory)).not.toContain("extract.duckdb.wal");
  expect(await bench.rows("SELECT id FROM t")).toEqual([{ id: 7n }]);
});

test("extractSource() fails with rows_lost when a part has fewer rows than the connector yielded", async () => {
  await using bench = await openBench();
  const files = nodeFiles();
  // The row count of the view detects a part that was replaced after it was checked.
  const rename: typeof files.rename = async (from, to) => {
    await files.rename(from, to);
    if (to.endsWith(".parquet")) await files.rename(join(bench.root, "empty.parquet"), to);
  };
  await using other = await openBench();
  await other.run([planOf(t)], () => []);
  const empty = (await readExtract(files, other.directory))!.tables[0]!.parts[0]!.path;
  await files.rename(join(other.directory, empty), join(bench.root, "empty.parquet"));
  const services = { ...bench.services, host: { ...bench.services.host, files: { ...files, rename } } };
  const run = extractSource(services, {
    directory: bench.directory,
    source: sourceOf(connectorOf(good)),
    tables: [planOf(t)],
  });
  expect(await codeOf(run)).toBe("rows_lost");
  expect(await readExtract(bench.services.host.files, bench.directory)).toBeNull();
});

test("extractSource() fails with rows_lost when the footer of a part has fewer rows than DuckDB wrote", async () => {
  await using bench = await openBench();
  type Rows = (sql: string, options?: object) => Promise<never>;
  const original = (Connection.prototype as unknown as Record<"rows", Rows>)["rows"];
  const spy = spyOn(Connection.prototype, "rows").mockImplementation(async function (
    this: Connection,
    sql: string,
    options?: object,
  ) {
    const result = await original.call(this, sql, options);
    const path = /^COPY [^]* TO '([^']+)'/.exec(sql)?.[1];
    if (path !== undefined) {
      const rest = `COPY (SELECT 1::BIGINT AS id, 'a' AS name WHERE false) TO '${path}' (FORMAT parquet)`;
      await original.call(this, rest);
    }
    return result;
  } as Rows);
  try {
    const stats = await bench.run([planOf(t)], good);
    expect(stats.errors[0]?.error.code).toBe("rows_lost");
    expect(stats.errors[0]?.error.message).toContain("the footer of the part");
    expect(await readExtract(bench.services.host.files, bench.directory)).toBeNull();
  } finally {
    spy.mockRestore();
  }
});

test("readExtract() does not treat an extract as missing when the disk fails", async () => {
  await using bench = await openBench();
  await bench.run([planOf(t)], () => []);
  const { files } = bench.services.host;
  const broken = faultyFiles(files, { at: 1, code: "EIO", operations: ["stat"] });
  expect(await codeOf(readExtract(broken, bench.directory))).toBe("extract_unreadable");
  expect(await readExtract(files, join(bench.root, "nowhere"))).toBeNull();
  const unlisted = faultyFiles(files, { at: 1, code: "EIO", operations: ["list"] });
  expect(await codeOf(listGenerations(unlisted, bench.directory))).toBe("file_failed");
});
