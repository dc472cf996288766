import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { openDatabase, openFile } from "../../lib/duckdb/mod.ts";
import { int64, table, utf8, type FileChunk } from "../../lib/kit/mod.ts";
import { openBench, planOf } from "./harness.ts";

const info = table("t", { id: int64(), name: utf8() });
const COUNT = 60_000;
const row = (id: number) => `{"id":${id},"name":"row ${id} of many"}`;
const columns = [
  { name: "id", type: "BIGINT" },
  { name: "name", type: "VARCHAR" },
];

/** More than a megabyte of rows, with one line replaced. */
function fileText(line = -1, text = ""): string {
  return `${Array.from({ length: COUNT }, (_, id) => (id + 1 === line ? text : row(id))).join("\n")}\n`;
}

async function opened(text: string, name = "x.ndjson") {
  const bench = await openBench();
  const data = join(bench.root, name);
  await bench.services.host.files.write(data, text);
  const format = name.endsWith(".json") ? "json" : "ndjson";
  const chunk = { kind: "file", format, data, origin: name, reading: { format, columns } } as const;
  return { bench, chunk: chunk satisfies FileChunk };
}

/**
 * `checked` if the file is checked before DuckDB reads it, otherwise the result of the check: `right`, `wrong` or an
 * error code.
 */
async function howOpened(text: string, name?: string): Promise<string> {
  const { bench, chunk } = await opened(text, name);
  await using _ = bench;
  await using database = await openDatabase();
  await using connection = await database.connect();
  try {
    await using file = await openFile(chunk, { connection, directory: bench.root, isUnchecked: true });
    if (file.check === undefined) return "checked";
    const checked = await file.check();
    if (checked === file) return "right";
    await checked[Symbol.asyncDispose]();
    return "wrong";
  } catch (error) {
    return (error as { code: string }).code;
  }
}

test("openFile() allows only large files of short lines to be read before they are checked", async () => {
  expect(await howOpened(fileText())).toBe("right");
  expect(await howOpened(fileText(), "x.json")).toBe("right");
  expect(await howOpened(row(1))).toBe("checked");
  expect(await howOpened(`\uFEFF${fileText()}`)).toBe("checked");
  expect(await howOpened(`[${fileText().trim().replaceAll("\n", ",\n")}]`, "x.json")).toBe("checked");
  expect(await howOpened(fileText(9, `{"id":1,"name":"${"x".repeat(20_000)}"}`))).toBe("checked");
  expect(await howOpened(fileText(COUNT, `{"id":1,"name":"${"x".repeat(20_000)}"}`))).toBe("checked");
  const deep = `{"id":1,"name":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
  expect(await howOpened(fileText(50_000, deep))).toBe("file_unreadable");
});

test("check() finds values that DuckDB reads incorrectly or not at all", async () => {
  expect(await howOpened(fileText(50_000, '{"id":1.5,"name":"a"}'))).toBe("wrong");
  expect(await howOpened(fileText(50_000, '{"id":1,"name":1.50}'))).toBe("wrong");
  expect(await howOpened(fileText(50_000, '{"id":1,\n"name":"a"}'), "x.json")).toBe("wrong");
  expect(await howOpened("\n".repeat(2_000_000).replace("\n", "{}"))).toBe("right");
  expect(await howOpened(fileText(50_000, '{"id":1,"other":1}'))).toBe("file_reading_outdated");
  expect(await howOpened(fileText(50_000, '{"id":1,"id":2}'))).toBe("file_unreadable");
  expect(await howOpened(fileText(50_000, '{"id":1,}'))).toBe("file_unreadable");
});

const LINE = expect.stringMatching(/^line 50000: /) as unknown;

test.each([
  [
    "a value that does not fit",
    '{"id":1.5,"name":"a"}',
    "file_value_invalid",
    { line: 50_000, column: "id" },
  ],
  ["a duplicate key", '{"id":1,"id":2}', "file_unreadable", { reason: LINE }],
  ["a line that is cut off", '{"id":1,"na', "file_unreadable", { reason: LINE }],
])("extractSource() does not publish a large JSON file with %s", async (_title, text, code, details) => {
  const { bench, chunk } = await opened(fileText(50_000, text));
  await using _ = bench;
  const stats = await bench.run([planOf(info)], () => [chunk]);
  expect(stats.errors.map(({ error }) => error)).toMatchObject([{ code, details }]);
  const left = await readdir(bench.directory, { recursive: true });
  expect(left.filter((name) => /parquet|tmp/.test(name))).toEqual([]);
});

test("extractSource() reads a large JSON file in order, with unchanged text of numbers in a text column", async () => {
  const { bench, chunk } = await opened(fileText(50_000, '{"id":-1,"name":1.50}'));
  await using _ = bench;
  expect((await bench.run([planOf(info)], () => [chunk])).errors).toEqual([]);
  const [found] = await bench.rows<{ n: bigint; text: string }>(
    "SELECT count(*) AS n, max(name) FILTER (id = -1) AS text FROM t",
  );
  expect(found).toEqual({ n: BigInt(COUNT), text: "1.50" });
});

test("extractSource() quarantines invalid rows of a large JSON file", async () => {
  const { bench, chunk } = await opened(fileText(50_000, '{"id":"x","name":"a"}'));
  await using _ = bench;
  const stats = await bench.run([planOf(info, { quarantine: true })], () => [chunk]);
  expect(stats.errors).toEqual([]);
  expect(stats.tables[0]).toMatchObject({ rows: COUNT - 1, rowsQuarantined: 1 });
});
