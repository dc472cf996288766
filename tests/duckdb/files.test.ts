import { execFile } from "node:child_process";
import { readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "bun:test";

import { faultyFiles } from "../fakes/faulty-files.ts";

import { createHost, nodeFiles } from "../../lib/base/mod.ts";
import {
  acquireLock,
  copyToParquet,
  createEngine,
  openDatabase,
  parquetFooter,
  spoolBytes,
} from "../../lib/duckdb/mod.ts";
import { collect, open, rejection, temporaryDirectory } from "./support.ts";

const CSV = "id,name,day\n1,Ann,2026-01-31\n2,,2026-02-01\n";
test.each([
  ["cut short", async (path: string) => truncate(path, 300)],
  ["empty", async (path: string) => truncate(path, 0)],
  [
    "no Parquet",
    async (path: string) => writeFile(path, "PAR1 is how it starts, but that is all of it PAR1"),
  ],
])("parquetFooter() and DuckDB throw file_unreadable when a file is %s", async (_what, damage) => {
  await using session = await open();
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "a.parquet");
  await copyToParquet(
    session.database,
    { kind: "sql", sql: "SELECT range AS i, {'x': [range]} AS s FROM range(1000)" },
    path,
  );
  expect(await parquetFooter(nodeFiles(), path)).toMatchObject({
    rows: 1000,
    rowsInGroups: 1000,
    rowGroups: 1,
    columns: ["i", "s"],
  });
  await damage(path);
  for (const work of [
    () => parquetFooter(nodeFiles(), path),
    () => session.connection.rows(`FROM '${path}'`),
  ]) {
    const error = await rejection(work());
    expect({ code: error.code, path: error.details?.["path"] }).toEqual({ code: "file_unreadable", path });
  }
});

test("parquetFooter() throws file_failed when there is no file", async () => {
  expect((await rejection(parquetFooter(nodeFiles(), "/nowhere/a.parquet"))).code).toBe("file_failed");
});

test("spoolBytes() writes bytes to a file and removes it again, also when the stream fails", async () => {
  await using directory = await temporaryDirectory();
  const host = createHost();
  const data = (async function* () {
    yield Buffer.from(CSV.slice(0, 20));
    yield Buffer.from(CSV.slice(20));
  })();
  const spooled = await spoolBytes(host, { kind: "file", format: "csv", data }, directory.path);
  expect(spooled.sizeBytes).toBe(CSV.length);
  expect(await readFile(spooled.chunk.data, "utf8")).toBe(CSV);
  await spooled.remove();
  const failure = new Error("connection reset");
  const failing = (async function* () {
    yield Buffer.from("a");
    throw failure;
  })();
  expect(
    await rejection(spoolBytes(host, { kind: "file", format: "csv", data: failing }, directory.path)),
  ).toBe(failure);
  expect(await host.files.list(directory.path)).toEqual([]);
});

test("acquireLock() lets one in, of this process and of others, until it is given back or its process dies", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "run.lock");
  const elsewhere = (hold: string) =>
    `import { acquireLock } from ${JSON.stringify(join(import.meta.dirname, "../../lib/duckdb/mod.ts"))};
     import { nodeFiles } from ${JSON.stringify(join(import.meta.dirname, "../../lib/base/mod.ts"))};
     await acquireLock(nodeFiles(), ${JSON.stringify(path)}, "it").then(() => console.log("in"), (error) => console.log(error.code)); ${hold}`;
  const run = (code: string, whileItRuns: () => Promise<void>) =>
    new Promise<string>((resolve) => {
      const child = execFile(process.execPath, ["-e", code], (_error, stdout) => resolve(stdout.trim()));
      child.stdout?.once("data", () => void whileItRuns().then(() => child.kill("SIGKILL")));
    });
  {
    await using _lock = await acquireLock(nodeFiles(), path, "the source crm");
    const error = await rejection(acquireLock(nodeFiles(), path, "the source crm"));
    expect(error.message).toBe("the source crm is in use by another run of this process");
    expect(await run(elsewhere(""), async () => {})).toBe("locked");
  }
  let refusal: Error & { code?: string } = new Error();
  await run(elsewhere("setInterval(() => {}, 1000)"), async () => {
    refusal = await rejection(acquireLock(nodeFiles(), path, "the source crm"));
  });
  expect(refusal.code).toBe("locked");
  expect(refusal.message).toMatch(/is in use by \S+ \(process \d+\)/);
  const again = await acquireLock(nodeFiles(), path, "the source crm");
  await again[Symbol.asyncDispose]();
  expect(await createHost().files.list(directory.path)).toEqual(["run.lock"]);
});

test("createEngine() describes files, queries with attached databases at once, and lets the files go", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "other.duckdb");
  {
    await using session = await open({ path });
    await session.connection.run("CREATE TABLE t AS SELECT range AS i FROM range(50000)");
  }
  const csv = join(directory.path, "a.csv");
  await writeFile(csv, CSV);
  await using engine = createEngine(createHost(), {});
  expect((await engine.describe({ kind: "file", format: "csv", data: csv })).names).toEqual([
    "id",
    "name",
    "day",
  ]);
  const sum = async () => {
    const { batches } = await engine.query("SELECT sum(i)::BIGINT AS s FROM src.t WHERE i < $1", {
      attach: { src: path },
      parameters: [10],
    });
    return (await collect(batches))[0]!.get(0)!.toJSON();
  };
  expect(await Promise.all([sum(), sum(), sum()])).toEqual([{ s: 45n }, { s: 45n }, { s: 45n }]);
  const error = await rejection(
    engine.query("SELECT 1", { attach: { src: join(directory.path, "none.duckdb") } }),
  );
  expect(error.code).toBe("file_unreadable");
  const { batches } = await engine.query("SELECT * FROM src.t", { attach: { src: path }, batchRows: 2048 });
  for await (const _batch of batches) break;
  await using writer = await open({ path });
  await writer.connection.run("DROP TABLE t");
});

test("openDatabase() keeps to its limits and removes its temporary directory", async () => {
  await using directory = await temporaryDirectory();
  const database = await openDatabase({
    limits: { memoryMb: 40, threads: 1, temporaryMb: 1, temporaryDirectory: directory.path },
  });
  const connection = await database.connect();
  const [row] = await connection.rows(
    "SELECT current_setting('TimeZone') AS tz, current_setting('threads') AS threads, current_setting('autoload_known_extensions') AS autoload, current_setting('allow_community_extensions') AS community",
  );
  expect(row).toEqual({ tz: "UTC", threads: 1n, autoload: false, community: false });
  const error = await rejection(connection.run("SELECT list(uuid()) FROM range(50000000)"));
  expect(error.code).toBe("duckdb_out_of_memory");
  await database.close();
  expect(await createHost().files.list(directory.path)).toEqual([]);
});

test("Connection.run() never shows a literal of the statement that failed", async () => {
  await using session = await open();
  const error = await rejection(
    session.connection.run("ATTACH 'postgres://me:hunter2@db/x?password=hunter2' AS p (TYPE nothing)"),
  );
  expect(JSON.stringify(error) + error.message + String(error.cause)).not.toContain("hunter2");
});

test("Connection.rows() keeps a byte order mark at the start of a text, also in a list", async () => {
  await using session = await open();
  const sql =
    "SELECT chr(65279) || 'x' AS text, [chr(65279)] AS list, chr(65279) || 'a longer text than that' AS long";
  expect(await session.connection.rows(sql)).toEqual([
    { text: "\uFEFFx", list: ["\uFEFF"], long: "\uFEFFa longer text than that" },
  ]);
});

test("Connection.rows() runs statements in turn, binds parameters, and stops when aborted", async () => {
  await using session = await open();
  const { connection } = session;
  await connection.run("CREATE TABLE t(i INT); INSERT INTO t VALUES (1), (2)");
  expect(
    await Promise.all([
      connection.rows("SELECT sum(i) AS s FROM t"),
      connection.rows("SELECT $1 AS a, $2::BLOB AS b, $3 AS c", {
        parameters: ["it's", Uint8Array.of(1), 1.5],
      }),
    ]),
  ).toEqual([[{ s: 3n }], [{ a: "it's", b: Uint8Array.of(1), c: 1.5 }]]);
  expect((await rejection(connection.rows("SELECT ?", { parameters: [] }))).code).toBe("invalid_input");
  const started = performance.now();
  const forever = "SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b";
  expect((await rejection(connection.rows(forever, { signal: AbortSignal.timeout(50) }))).code).toBe(
    "aborted",
  );
  const closing = rejection(connection.rows(forever));
  setTimeout(() => void connection.close(), 20);
  expect((await closing).code).toBe("duckdb_failed");
  expect(performance.now() - started).toBeLessThan(2000);
});

test.each(["stat", "link", "remove"] as const)(
  "acquireLock() fails and can be taken again when %s fails",
  async (operation) => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, "run.lock");
    const failing = faultyFiles(nodeFiles(), { at: 1, operations: [operation], code: "EACCES" });
    expect(await rejection(acquireLock(failing, path, "the source crm"))).toMatchObject({
      code: "file_failed",
    });
    const lock = await acquireLock(nodeFiles(), path, "the source crm");
    await lock[Symbol.asyncDispose]();
  },
);

test("spoolBytes() leaves no file when the disk is full, and none when the bytes end early", async () => {
  await using directory = await temporaryDirectory();
  const host = createHost();
  const bytes = async function* (failure?: Error) {
    yield Buffer.from("id\n");
    if (failure !== undefined) throw failure;
  };
  const full = { ...host, files: faultyFiles(host.files, { at: 1, operations: ["writeChunks"] }) };
  const chunk = (failure?: Error) => ({
    kind: "file" as const,
    format: "csv" as const,
    data: bytes(failure),
  });
  expect(await rejection(spoolBytes(full, chunk(), directory.path))).toMatchObject({ code: "disk_full" });
  const failure = new Error("the connection is lost");
  expect(await rejection(spoolBytes(host, chunk(failure), directory.path))).toBe(failure as never);
  expect(await host.files.list(directory.path)).toEqual([]);
});
