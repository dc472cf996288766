import { afterEach, beforeEach, expect, test } from "bun:test";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import type { ExtractStats } from "../../lib/extract/mod.ts";
import { makeFolder, type Folder } from "./support.ts";
import { syncFolder } from "./sync-folder.ts";

let folder: Folder;
beforeEach(async () => {
  folder = await makeFolder();
});
afterEach(async () => {
  await folder[Symbol.asyncDispose]();
});

const sync = (options: Record<string, unknown> = {}, quarantineMaxPercent = 60) =>
  syncFolder(folder, { path: "data", ...options }, { plan: { quarantine: true, quarantineMaxPercent } });

async function published(): Promise<readonly string[]> {
  await using database = await openDatabase({
    path: join(folder.path, "extract/extract.duckdb"),
    readOnly: true,
  });
  await using connection = await database.connect();
  const rows = await connection.rows<{ row: string }>("SELECT concat_ws('|', *COLUMNS(*)) AS row FROM t");
  return rows.map(({ row }) => row).sort();
}

async function rejectedOf(stats: ExtractStats): Promise<readonly unknown[]> {
  const text = await readFile(stats.tables[0]!.quarantinePath!, "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
}

const EXACT = "SELECT unnest([1, 2, 9007199254740993]::BIGINT[]) AS id";

test("a value of a Parquet file that the merged type cannot hold is quarantined with its row", async () => {
  await folder.write("data/t/.keep", "");
  await folder.sql(`COPY (${EXACT}) TO '@/data/t/a.parquet'`);
  await folder.sql("COPY (SELECT 1.5::DOUBLE AS id) TO '@/data/t/b.parquet'");
  const stats = await sync();
  expect(stats.errors).toEqual([]);
  expect(stats.tables[0]).toMatchObject({ status: "extracted", rowsRead: 4, rowsQuarantined: 1, rows: 3 });
  expect(await published()).toEqual(["1.0", "1.5", "2.0"]);
  expect(await rejectedOf(stats)).toMatchObject([
    { origin: "a.parquet", column: "id", value: "9007199254740993" },
  ]);
});

test("a Parquet file without valid rows fails its table despite the quarantine", async () => {
  await folder.write("data/t/.keep", "");
  await folder.sql("COPY (SELECT 9007199254740993::BIGINT AS id) TO '@/data/t/a.parquet'");
  await folder.sql("COPY (SELECT 1.5::DOUBLE AS id) TO '@/data/t/b.parquet'");
  const [failure] = (await sync()).errors;
  expect(failure!.error.code).toBe("quarantine_exceeded");
  expect(failure!.error.message).toBe(
    '1 of 1 row of table "t" was rejected (no row of a.parquet was left), so the published data stays; the reason: column id: it is not DOUBLE (for example 9007199254740993 in row 1 of a.parquet)',
  );
  expect(failure!.error.hint).toMatch(/correct the source, or the types of its columns\. Published rows/);
});

const rows = (bad: Readonly<Record<number, string>>) =>
  `id,n\n${Array.from({ length: 60 }, (_, at) => bad[at] ?? `${at},${at}`).join("\n")}\n`;

test("the first read of a table quarantines a record of another width, in CSV and compressed CSV", async () => {
  for (const [name, content] of [
    ["t.csv", rows({ 50: "7,1,2", 51: "8" })],
    ["t.csv.gz", gzipSync(rows({ 50: "7,1,2", 51: "8" }))],
  ] as const) {
    await folder.write(`${name}/${name}`, content);
    const stats = await syncFolder(folder, { path: name }, { plan: { quarantine: true }, isKnown: false });
    expect(stats.errors).toEqual([]);
    expect(stats.tables[0]).toMatchObject({ status: "extracted", rowsQuarantined: 2, rows: 58 });
    expect(await rejectedOf(stats)).toMatchObject([{ record: { line: 52 } }, { record: { line: 53 } }]);
    await rm(join(folder.path, "extract"), { recursive: true });
  }
});

test("a table with a record of another width is read only with a quarantine, and discover() names the record", async () => {
  await folder.write("data/t.csv", rows({ 50: "7,1,2" }));
  const source = await folder.connect({ path: "data" });
  const { problem, hasBadRows, schema } = (await source.tables()).get("t")!;
  expect(problem!.message).toMatch(/t\.csv.*line 52.*it has 3 values, the header has 2/);
  expect([hasBadRows, schema.names]).toEqual([true, ["id", "n"]]);
  const stats = await syncFolder(folder, { path: "data" });
  expect(stats.errors[0]!.error.message).toMatch(/t\.csv.*line 52.*it has 3 values, the header has 2/);
});

test("an unclosed quote fails the first read of a table even with a quarantine", async () => {
  await folder.write("data/t.csv", rows({ 50: "7,1,2", 55: '8,"open' }));
  const stats = await sync();
  expect(stats.errors[0]!.error.message).toMatch(/quote/i);
});

const records = (bad: Readonly<Record<number, string>>) =>
  Array.from({ length: 60 }, (_, at) => bad[at] ?? `{"id":${at}}`);

test("a JSON row that is not an object is quarantined with its line, at the first read and later ones", async () => {
  for (const [name, written] of [
    ["t.ndjson", (rows: readonly string[]) => `${rows.join("\n")}\n`],
    ["t.json", (rows: readonly string[]) => `[${rows.join(",\n")}]`],
  ] as const) {
    await folder.write(`${name}/t.${name.slice(2)}`, written(records({ 50: "42", 51: "[1]" })));
    for (const isKnown of [false, true]) {
      const stats = await syncFolder(folder, { path: name }, { plan: { quarantine: true }, isKnown });
      expect(stats.errors).toEqual([]);
      if (isKnown) continue;
      expect(stats.tables[0]).toMatchObject({ status: "extracted", rowsQuarantined: 2, rows: 58 });
      expect(await rejectedOf(stats)).toMatchObject([
        { row: 51, column: "", value: "42", record: { line: 51, text: "42" } },
        { row: 52, column: "", value: "[1]", record: { line: 52, text: "[1]" } },
      ]);
    }
    await folder.write(`${name}/t.${name.slice(2)}`, written(records({ 50: "null", 60: '"x"' })));
    const second = await syncFolder(folder, { path: name }, { plan: { quarantine: true } });
    expect(second.tables[0]).toMatchObject({ status: "extracted", rowsQuarantined: 1, rows: 59 });
    await folder.write(`${name}/t.${name.slice(2)}`, written(records({ 1: "1", 2: "2", 3: "3", 4: "4" })));
    const [failure] = (await syncFolder(folder, { path: name }, { plan: { quarantine: true } })).errors;
    expect(failure!.error.code).toBe("quarantine_exceeded");
    await rm(join(folder.path, "extract"), { recursive: true });
  }
});

test("a table with a row that is not an object fails without a quarantine, and with one if it has no objects", async () => {
  await folder.write("data/t.ndjson", records({ 50: "42" }).join("\n"));
  const stats = await syncFolder(folder, { path: "data" });
  expect(stats.errors[0]!.error).toMatchObject({
    code: "file_row_invalid",
    details: { line: 51, text: "42" },
  });
  await folder.write("data/t.ndjson", "1\n2\n");
  const all = await sync();
  expect(all.errors[0]!.error).toMatchObject({ code: "file_row_invalid", details: { line: 1, text: "1" } });
});
