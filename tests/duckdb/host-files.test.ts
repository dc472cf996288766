import { expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { isAgnesError, nodeFiles, type Files } from "../../lib/base/mod.ts";
import {
  checkParquetInput,
  copyToParquet,
  encodeResult,
  openDatabase,
  openFile,
  parquetFooter,
  readingOf,
  writeResult,
} from "../../lib/duckdb/mod.ts";
import { readCsvHead } from "../../lib/duckdb/files/csv/head.ts";
import { plainRows as plainCsv } from "../../lib/duckdb/files/csv/plain-rows.ts";
import { hasPlainRows } from "../../lib/duckdb/files/json/plain-rows.ts";
import { hasShortLines } from "../../lib/duckdb/files/json/short-lines.ts";
import type { FileFormat } from "../../lib/kit/mod.ts";
import { faultyFiles } from "../fakes/faulty-files.ts";
import { rejection, temporaryDirectory } from "./support.ts";

const OPERATIONS = ["stat", "open", "readChunks", "writeChunks", "makeTemporaryDirectory"] as const;

/** Files that count those that are open. */
function watched(files: Files): Files & { readonly openCount: number } {
  let openCount = 0;
  return {
    ...files,
    get openCount() {
      return openCount;
    },
    async open(path, options) {
      const file = await files.open(path, options);
      openCount += 1;
      return { ...file, close: () => file.close().finally(() => (openCount -= 1)) };
    },
    async *readChunks(path, chunkBytes) {
      openCount += 1;
      try {
        yield* files.readChunks(path, chunkBytes);
      } finally {
        openCount -= 1;
      }
    },
  };
}

/**
 * Runs work again and again, with each of its file operations failing once. It must close all files and remove its
 * temporary ones. Returns the number of operations.
 */
async function failEach(
  work: (files: Files, temporary: string) => Promise<unknown>,
  operations: readonly (keyof Files)[] = OPERATIONS,
): Promise<number> {
  for (let at = 1; ; at++) {
    await using directory = await temporaryDirectory();
    const files = faultyFiles(nodeFiles(), { at, operations, code: "EIO" });
    const watching = watched(files);
    const failure = await work(watching, directory.path).then(
      () => null,
      (error: unknown) => error,
    );
    expect(await readdir(directory.path)).toEqual([]);
    expect(watching.openCount).toBe(0);
    if (files.count < at) {
      expect(failure).toBeNull();
      return at - 1;
    }
    expect(isAgnesError(failure) ? failure.code : failure).toBeOneOf(["file_failed", "file_unreadable"]);
  }
}

/** Decides the reading of a file and reads it, like an extraction. */
async function read(files: Files, temporary: string, format: FileFormat, path: string): Promise<number> {
  await using database = await openDatabase({ files, limits: { temporaryDirectory: temporary, threads: 1 } });
  await using connection = await database.connect();
  if (format === "parquet") await checkParquetInput(files, path);
  const chunk = { kind: "file", format, data: path, origin: "o" } as const;
  const reading = (await readingOf(connection, chunk))!;
  const options = { connection, directory: temporary, isUnchecked: true };
  await using file = await openFile({ ...chunk, reading }, options);
  await using checked = (await file.check?.()) ?? file;
  const rows = await connection.rows(checked.select).catch(async (error: unknown) => {
    throw await checked.explain(error);
  });
  const sorted = await checked.separateRejected(connection);
  for await (const _ of sorted.rejected);
  await connection.rows(sorted.select);
  return rows.length;
}

const ROW = '{"id":1,"name":"a row of many"}\n';
/** Enough for DuckDB to read the file while it is checked. */
const LINES = ROW.repeat((1.2 * 1024 * 1024) / ROW.length);
const TIMES = "SELECT 1 AS id, TIMESTAMP_NS '1970-01-01 10:00:00.123456789' AS at";

test.each([
  ["a CSV file", "csv", "id,name\n1,x\n2,y\n"],
  ["a CSV file in UTF-16, which is copied", "csv", Buffer.from("id,name\n1,x\n2,y\n", "utf16le")],
  ["a compressed CSV file", "csv", gzipSync("id,name\n1,x\n2,y\n")],
  ["rows as JSON", "ndjson", '{"id":1,"name":"x"}\n{"id":2,"name":"y"}\n'],
  ["rows as JSON with a number in text, which are copied", "ndjson", '{"v":1}\n{"v":"y"}\n'],
] as const)(
  "each file operation fails a read of %s, and leaves no temporary file",
  async (_title, format, content) => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, content[0] === 0x1f ? "x.csv.gz" : `x.${format}`);
    await writeFile(path, content);
    expect(await failEach((files, temporary) => read(files, temporary, format, path))).toBeGreaterThan(4);
  },
);

test("each file operation fails a read of Parquet with nanoseconds, and leaves no temporary file", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "x.parquet");
  await using database = await openDatabase();
  await copyToParquet(database, { kind: "sql", sql: TIMES }, path);
  // DuckDB writes only timestamps in nanoseconds, not times.
  const bytes = await readFile(path);
  bytes.set([0x7c, 0x12], bytes.indexOf(Buffer.from([0x8c, 0x12, 0x1c, 0x3c, 0, 0, 0, 0])));
  await writeFile(path, bytes);
  const count = await failEach((files, temporary) => read(files, temporary, "parquet", path));
  expect(count).toBeGreaterThan(20);
});

test("each file operation fails the checks of a file that DuckDB reads at the same time", async () => {
  await using directory = await temporaryDirectory();
  const lines = join(directory.path, "x.ndjson");
  await writeFile(lines, LINES);
  const some = ["stat", "readChunks", "writeChunks", "makeTemporaryDirectory"] as const;
  const work = (files: Files, temporary: string) => read(files, temporary, "ndjson", lines);
  expect(await failEach(work, some)).toBeGreaterThan(4);
  const columns = [
    { name: "id", type: "BIGINT" },
    { name: "name", type: "VARCHAR" },
  ];
  expect(await failEach((files) => hasShortLines({ files, path: lines }))).toBeGreaterThan(60);
  expect(await failEach((files) => hasPlainRows({ files, path: lines }, columns, undefined))).toBe(2);
  const path = join(directory.path, "x.csv");
  await writeFile(path, "id,name\n1,x\n2,y\n");
  const csv = await readingOfCsv(path);
  const looked = await failEach(async (files) => {
    const head = await readCsvHead({ files, path }, csv);
    const texts = columns.map((column) => ({ column, text: "x" }));
    return (await plainCsv(head, csv, texts))!.holds(undefined);
  });
  expect(looked).toBe(3);
});

async function readingOfCsv(path: string) {
  await using database = await openDatabase();
  await using connection = await database.connect();
  return (await readingOf(connection, { kind: "file", format: "csv", data: path }))!.csv!;
}

test("each file operation fails a hashed copy to Parquet and the check of its footer", async () => {
  for (const operation of ["makeTemporaryDirectory", "remove", "stat", "open"] as const) {
    const work = async (files: Files, temporary: string) => {
      const limits = { temporaryDirectory: temporary, threads: 1 };
      const path = join(temporary, "x.parquet");
      try {
        await using database = await openDatabase({ files, limits });
        const sql = "SELECT i FROM range(10) t(i)";
        await copyToParquet(database, { kind: "sql", sql }, path, { hashed: true });
        await parquetFooter(files, path);
      } finally {
        await nodeFiles().remove(path);
      }
    };
    // The number of `stat` depends on time.
    if (operation !== "stat") expect(await failEach(work, [operation])).toBeGreaterThanOrEqual(1);
    await using directory = await temporaryDirectory();
    const files = faultyFiles(nodeFiles(), { at: 1, operations: [operation] });
    expect(await work(files, directory.path).catch((error: unknown) => error)).toMatchObject({
      code: "disk_full",
    });
  }
});

test.each(["csv", "parquet"] as const)(
  "each file operation fails a result as %s, and leaves no temporary file",
  async (format) => {
    await using database = await openDatabase();
    const encoded = await failEach(async (files, temporary) => {
      await using connection = await database.connect();
      const result = await connection.stream("SELECT 1 AS a");
      const limits = { temporaryDirectory: temporary, threads: 1 };
      for await (const _ of encodeResult(result, format, { files, limits }));
    });
    expect(encoded).toBe(format === "csv" ? 0 : 3);
    const written = await failEach(async (files, temporary) => {
      await using connection = await database.connect();
      const result = await connection.stream("SELECT 1 AS a");
      const path = join(temporary, "out");
      try {
        await writeResult(result, { format, path, files, limits: { temporaryDirectory: temporary } });
      } finally {
        await nodeFiles().remove(path);
      }
    });
    expect(written).toBe(1);
  },
);

test("openFile() closes a JSON file in UTF-32", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "x.json");
  await writeFile(path, Buffer.from([0, 0, 0xfe, 0xff, 0, 0, 0, 0x5b]));
  const files = watched(nodeFiles());
  expect(await rejection(read(files, directory.path, "json", path))).toMatchObject({
    code: "file_unreadable",
  });
  expect(files.openCount).toBe(0);
});

test("openDatabase() closes although its temporary directory cannot be removed", async () => {
  await using directory = await temporaryDirectory();
  const files = faultyFiles(nodeFiles(), { at: 1, operations: ["removeDirectory"], code: "EACCES" });
  const database = await openDatabase({ files, limits: { temporaryDirectory: directory.path } });
  await database.close();
  expect(files.count).toBe(1);
});
