import { afterEach, beforeEach, expect, test } from "bun:test";

import { columnsOf, makeFolder, type Folder } from "./support.ts";
import { syncFolder } from "./sync-folder.ts";

let folder: Folder;
beforeEach(async () => {
  folder = await makeFolder();
  await folder.write("data/t/.keep", "");
});
afterEach(async () => {
  await folder[Symbol.asyncDispose]();
});

/** Writes one Parquet file per SELECT and reads the table with a configured type. */
async function readAs(type: string, ...selects: readonly string[]) {
  for (const [at, select] of selects.entries())
    await folder.sql(`COPY (${select}) TO '@/data/t/${at}.parquet'`);
  const source = await folder.connect({ path: "data", tables: { t: { types: { v: type } } } });
  const table = (await source.tables()).get("t");
  if (table!.problem !== undefined) throw table!.problem;
  return { columns: columnsOf(table), values: (await source.rows(table)).map(({ v }) => v) };
}

test("`types` resolves conflicting types of Parquet files", async () => {
  const read = await readAs(
    "TIMESTAMP WITH TIME ZONE",
    "SELECT TIMESTAMP '2024-01-02 03:04:05' AS v",
    "SELECT TIMESTAMPTZ '2024-01-02 04:04:05+01' AS v",
  );
  expect(read.columns).toEqual(["v:Timestamp<MICROSECOND, UTC>"]);
  expect(new Set(read.values.map(String)).size).toBe(1);
});

test.each([
  ["VARCHAR", ["SELECT 9007199254740993 AS v", "SELECT 1.5::DOUBLE AS v"], ["9007199254740993", "1.5"]],
  ["VARCHAR", ["SELECT true AS v", "SELECT 2 AS v"], ["true", "2"]],
  ["BIGINT", ["SELECT 1::INTEGER AS v"], [1n]],
  ["DOUBLE", ["SELECT 1 AS v", "SELECT 9007199254740992 AS v"], [1, 9007199254740992]],
  ["JSON", ["SELECT {'a': 1} AS v", "SELECT {'A': [NULL]} AS v"], ['{"a":1}', '{"A":[null]}']],
] as const)("types of Parquet files: as %s, no value is changed", async (type, selects, values) => {
  expect((await readAs(type, ...selects)).values).toEqual([...values]);
});

test.each([
  ["BIGINT", "SELECT 1.5::DOUBLE AS v", "1.5"],
  ["BOOLEAN", "SELECT 2 AS v", "2"],
  ["DATE", "SELECT TIMESTAMP '2024-01-02 03:04:05' AS v", "2024-01-02 03:04:05"],
  ["DECIMAL(4,1)", "SELECT 0.25::DECIMAL(4,2) AS v", "0.25"],
  ["TIMESTAMP", "SELECT 1 AS v", "1"],
])("types of Parquet files: a value that %s does not hold is named", async (type, select, value) => {
  await folder.sql(`COPY (${select}) TO '@/data/t/a.parquet'`);
  const options = { path: "data", tables: { t: { types: { v: type } } } };
  const [failure] = (await syncFolder(folder, options)).errors;
  expect(failure!.error.message).toBe(`"a.parquet", column v: "${value}" is not ${type}`);
});
