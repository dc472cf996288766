import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { AgnesError, createHost } from "../../lib/base/mod.ts";
import { inspectFiles, openDatabase } from "../../lib/duckdb/mod.ts";
import type { TablePlan } from "../../lib/extract/mod.ts";
import { table, type FileChunk, type TableInfo } from "../../lib/kit/mod.ts";
import { codeOf, openBench, planOf, type Bench } from "./harness.ts";

setDefaultTimeout(60_000);

type Content = string | Uint8Array;

/** Writes files and describes them as one table, like the plugin `files`. */
async function filesOf(
  bench: Bench,
  contents: ReadonlyMap<string, Content>,
): Promise<{ info: TableInfo; chunks: readonly FileChunk[] }> {
  const folder = join(bench.root, "in");
  await mkdir(folder, { recursive: true });
  const inputs = [...contents.keys()].map((origin) => ({ path: join(folder, origin), origin }));
  for (const { path, origin } of inputs) await writeFile(path, contents.get(origin)!);
  await using database = await openDatabase();
  await using connection = await database.connect();
  const { schema, reading } = await inspectFiles(connection, inputs, { format: "csv" });
  const chunks = inputs.map(({ path, origin }): FileChunk => ({
    kind: "file",
    format: "csv",
    data: path,
    origin,
    reading: reading!,
  }));
  return { info: table("t", schema), chunks };
}

/** A host that counts the folders of parts written by one query. */
function countingHost() {
  const { files } = createHost();
  const folders = new Set<string>();
  const rename: typeof files.rename = (from, to) => {
    const [folder] = /data\/t\/part\.[^/]*(?=\/)/.exec(from) ?? [];
    if (folder !== undefined) folders.add(folder);
    return files.rename(from, to);
  };
  const counted = {
    get folders() {
      return folders.size;
    },
  };
  return { counted, files: { ...files, rename } };
}

const name = (at: number) => `f${String(at).padStart(3, "0")}.csv`;
const rowsOf = (from: number, count: number) =>
  Array.from({ length: count }, (_, at) => `${from + at},"text ${from + at}"\n`).join("");

const leftOvers = async (bench: Bench) =>
  (await readdir(join(bench.directory, "data/t"))).filter((one) => !/^[0-9a-f]{32}\.parquet$/.test(one));

/** The published ids of each origin, in the order of its part. */
async function idsByOrigin(bench: Bench): Promise<Readonly<Record<string, readonly number[]>>> {
  const parts = await bench.rows<{ path: string; origin: string; rows: bigint }>(
    "SELECT path, origin, rows FROM _parts ORDER BY ordinal",
  );
  await using database = await openDatabase({ settings: { preserve_insertion_order: "true" } });
  await using connection = await database.connect();
  const found: [string, readonly number[]][] = [];
  for (const { path, origin, rows } of parts) {
    const ids = await connection.rows<{ id: bigint }>(
      `SELECT id FROM read_parquet('${join(bench.directory, path)}')`,
    );
    expect(ids).toHaveLength(Number(rows));
    found.push([origin, ids.map(({ id }) => Number(id))]);
  }
  return Object.fromEntries(found);
}

test("extractSource() copies many small files with few queries, each into its own part, in order", async () => {
  const { counted, files } = countingHost();
  await using bench = await openBench({ files });
  const contents = new Map<string, Content>();
  const expected: Record<string, readonly number[]> = {};
  for (let at = 0; at < 200; at++) {
    const count = (at * 37) % 400;
    contents.set(name(at), `id,name\n${rowsOf(at * 1000, count)}`);
    if (count > 0) expected[name(at)] = Array.from({ length: count }, (_, row) => at * 1000 + row);
  }
  // Other layouts, an encoding that DuckDB cannot read, an empty file and a large one.
  const others: readonly (readonly [number, Content, readonly number[]])[] = [
    [3, "name,id\nx,7\ny,5\n", [7, 5]],
    [60, Buffer.from("\uFEFFid,name\n9,z\n8,z\n", "utf16le"), [9, 8]],
    [61, "id,name\n", []],
    [62, "", []],
    [150, `id,name\n${rowsOf(0, 12_000)}`, Array.from({ length: 12_000 }, (_, row) => row)],
  ];
  for (const [at, content, ids] of others) {
    contents.set(name(at), content);
    if (ids.length > 0) expected[name(at)] = ids;
    else delete expected[name(at)];
  }
  const { info, chunks } = await filesOf(bench, contents);
  const stats = await bench.run([planOf(info)], () => chunks);
  expect(stats.errors).toEqual([]);
  expect(await idsByOrigin(bench)).toEqual(expected);
  expect(Object.keys(await idsByOrigin(bench))).toEqual(Object.keys(expected).toSorted());
  const rows = Object.values(expected).reduce((sum, ids) => sum + ids.length, 0);
  expect(stats.tables[0]).toMatchObject({ rows, rowsRead: rows });
  expect(await bench.rows("SELECT count(*) AS n FROM t WHERE name <> 'text ' || id")).toEqual([{ n: 4n }]);
  expect(counted.folders).toBe(3);
  expect(await leftOvers(bench)).toEqual([]);
});

test("extractSource() writes the same part for a file whether it is copied alone or with others", async () => {
  const contents = new Map(
    Array.from({ length: 5 }, (_, at) => [name(at), `id,name,x\n${at},a,-0.5\n,b,1.25\n`]),
  );
  const hashes = async (take: (chunks: readonly FileChunk[]) => readonly FileChunk[]) => {
    await using bench = await openBench();
    const { info, chunks } = await filesOf(bench, contents);
    const stats = await bench.run([planOf(info)], () => take(chunks));
    expect(stats.errors).toEqual([]);
    return await bench.rows<{ sha256: string }>("SELECT origin, sha256 FROM _parts ORDER BY ordinal");
  };
  const together = await hashes((chunks) => chunks);
  expect(together).toHaveLength(5);
  for (const at of [0, 2, 4]) expect(await hashes((chunks) => [chunks[at]!])).toEqual([together[at]!]);
});

test("extractSource() supports a column with the name of its internal column, and conditions that exclude all rows of a file", async () => {
  await using bench = await openBench();
  const { info, chunks } = await filesOf(
    bench,
    new Map([
      ["a.csv", "id,Agnes_File\n1,x\n"],
      ["b.csv", "id,Agnes_File\n2,y\n"],
      ["c.csv", "id,Agnes_File\n3,z\n"],
    ]),
  );
  await bench.run([planOf(info)], () => chunks);
  expect(await bench.rows("SELECT * FROM t ORDER BY id")).toEqual([
    { id: 1n, Agnes_File: "x" },
    { id: 2n, Agnes_File: "y" },
    { id: 3n, Agnes_File: "z" },
  ]);
  await using other = await openBench();
  const plain = await filesOf(
    other,
    new Map([1, 2, 3].map((id) => [`${id}.csv`, `id,name\n${id},n\n${id},n\n`])),
  );
  const filter: TablePlan["filter"] = [{ column: "id", operator: "ne", values: [2n] }];
  const stats = await other.run([planOf(plain.info, { filter })], () => plain.chunks);
  expect(stats.errors).toEqual([]);
  expect(await idsByOrigin(other)).toEqual({ "1.csv": [1, 1], "3.csv": [3, 3] });
});

test("extractSource() names the first invalid file of many, and rejects their rows in order with quarantine", async () => {
  await using bench = await openBench();
  const contents = new Map<string, string>();
  for (let at = 0; at < 40; at++) contents.set(name(at), `id,name\n${rowsOf(at * 10, 10)}`);
  const { info, chunks } = await filesOf(bench, contents);
  const bad = [30, 7, 21];
  for (const at of bad)
    await writeFile(
      join(bench.root, "in", name(at)),
      `id,name\n${at},a\nbad ${at},b\n${rowsOf(at * 10, 98)}`,
    );
  const failed = await bench.run([planOf(info)], () => chunks);
  expect(failed.errors[0]!.error).toMatchObject({
    code: "file_value_invalid",
    details: { file: name(7), line: 3, column: "id", value: "bad 7" },
  });
  expect(await leftOvers(bench)).toEqual([]);
  const stats = await bench.run([planOf(info, { quarantine: true })], () => chunks);
  expect(stats.tables[0]).toMatchObject({ status: "extracted", rowsQuarantined: 3, rowsRead: 370 + 300 });
  const rejected = (await readFile(stats.tables[0]!.quarantinePath!, "utf8")).trim().split("\n");
  expect(rejected.map((line) => JSON.parse(line).value)).toEqual(["bad 7", "bad 21", "bad 30"]);
  expect(Object.keys(await idsByOrigin(bench))).toEqual([...contents.keys()]);
});

test("extractSource() reports an invalid file before a later error of the connector", async () => {
  await using bench = await openBench();
  const contents = new Map([1, 2, 3].map((id) => [`${id}.csv`, `id,name\n${id},n\n`]));
  const { info, chunks } = await filesOf(bench, contents);
  const read = async function* () {
    yield* chunks;
    throw new AgnesError("file_unreadable", { path: "4.csv", reason: "it is damaged" });
  };
  const late = await bench.run([planOf(info)], read);
  expect(late.errors[0]!.error.message).toContain("4.csv");
  await writeFile(join(bench.root, "in/2.csv"), "id,name\nx,n\n");
  const early = await bench.run([planOf(info)], read);
  expect(early.errors[0]!.error).toMatchObject({ code: "file_value_invalid", details: { file: "2.csv" } });
  expect(await leftOvers(bench)).toEqual([]);
});

test("extractSource() stops while it copies small files, and removes all of them", async () => {
  const controller = new AbortController();
  const { files } = createHost();
  const rename: typeof files.rename = (from, to) => {
    if (/data\/t\/part\.[^/]*\//.test(from)) controller.abort();
    return files.rename(from, to);
  };
  await using bench = await openBench({ files: { ...files, rename } });
  const contents = new Map([1, 2, 3].map((id) => [`${id}.csv`, `id,name\n${id},n\n`]));
  const { info, chunks } = await filesOf(bench, contents);
  const run = bench.run([planOf(info)], () => chunks, { signal: controller.signal });
  expect(await codeOf(run)).toBe("aborted");
  expect(await leftOvers(bench)).toEqual([]);
  expect(await readdir(bench.directory)).not.toContain("extract.duckdb");
});
