import { expect, test } from "bun:test";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { fileError, nodeFiles, type Files } from "../../lib/base/mod.ts";
import { openDatabase } from "../../lib/duckdb/mod.ts";
import { extractSource } from "../../lib/extract/mod.ts";
import { int64, table, utf8, type FileChunk } from "../../lib/kit/mod.ts";
import { seededRandom } from "../../lib/testing/fakes/fake-host.ts";
import { connectorOf, openBench, planOf, sourceOf, type ReadFunction } from "./harness.ts";

const [t, other] = ["t", "other"].map((name) => table(name, { id: int64(), name: utf8() }));

/** Files whose operation fails with an error of the disk, for one path or for all. */
function failing(operation: "open" | "readChunks" | "stat" | "writeChunks", of?: string): Files {
  const files = nodeFiles();
  const work = files[operation] as (path: string, ...rest: unknown[]) => unknown;
  const failure = (path: string) =>
    fileError(operation, path, Object.assign(new Error("EIO: injected"), { code: "EIO" }));
  const replaced = (path: string, ...rest: unknown[]) => {
    if (of !== undefined && path !== of) return work(path, ...rest);
    if (operation !== "readChunks") return Promise.reject(failure(path));
    return { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(failure(path)) }) };
  };
  return { ...files, [operation]: replaced };
}

const CSV = "id,name\n7,new\n";
const JSON_ROW = '{"id":7,"name":"new"}\n';

test.each([
  ["readChunks", "CSV", "csv", CSV, "file_unreadable"],
  ["writeChunks", "a copy of CSV", "csv", Buffer.from(CSV, "utf16le"), "file_failed"],
  ["readChunks", "JSON", "ndjson", JSON_ROW, "file_unreadable"],
  ["stat", "much JSON", "ndjson", JSON_ROW.repeat(60_000), "file_failed"],
  ["open", "much JSON", "ndjson", JSON_ROW.repeat(60_000), "file_failed"],
  ["open", "Parquet", "parquet", null, "file_failed"],
] as const)(
  "extractSource() fails only the table whose file it cannot read when %s fails for %s, and keeps its rows",
  async (operation, _what, format, content, code) => {
    await using bench = await openBench();
    const data = join(bench.root, `x.${format}`);
    await writeFile(data, content ?? (await parquet(bench.root)));
    const rows: ReadFunction = () => [[{ id: 1, name: "old" }]];
    await bench.run([planOf(t!), planOf(other!)], rows);
    const files = failing(operation, operation === "writeChunks" ? undefined : data);
    const chunk: FileChunk = { kind: "file", format, data, origin: "x" };
    const request = {
      directory: bench.directory,
      source: sourceOf(connectorOf(({ name }) => (name === "t" ? [chunk] : [[{ id: 2, name: "next" }]]))),
      tables: [planOf(t!), planOf(other!)],
    };
    const run = (host: typeof bench.services.host) => extractSource({ ...bench.services, host }, request);
    const stats = await run({ ...bench.services.host, files });
    expect(stats).toMatchObject({ tablesFailed: 1, tablesExtracted: 1 });
    expect(stats.errors[0]!.error.code).toBe(code);
    expect(await bench.rows("SELECT id FROM t UNION ALL SELECT id FROM other ORDER BY id")).toEqual([
      { id: 1n },
      { id: 2n },
    ]);
    expect(
      (await readdir(join(bench.directory, "data", "t"))).filter((name) => name.endsWith(".tmp")),
    ).toEqual([]);
    expect(await run(bench.services.host)).toMatchObject({ tablesFailed: 0 });
    expect(await bench.rows("SELECT DISTINCT id, name FROM t")).toEqual([{ id: 7n, name: "new" }]);
  },
);

test("extractSource() takes the id of a run from the randomness of the host", async () => {
  const runId = async (seed: number) => {
    await using bench = await openBench({ random: seededRandom(seed) });
    return (await bench.run([planOf(t!)], () => [[{ id: 1, name: "a" }]])).runId;
  };
  const id = await runId(1);
  expect(await runId(1)).toBe(id);
  expect(await runId(2)).not.toBe(id);
});

async function parquet(directory: string): Promise<Uint8Array> {
  await using database = await openDatabase();
  await using connection = await database.connect();
  const path = join(directory, "rows.parquet");
  await connection.run(`COPY (SELECT 7::BIGINT AS id, 'new' AS name) TO '${path}' (FORMAT parquet)`);
  return await readFile(path);
}
