import { expect, test } from "bun:test";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { createAgnes } from "agnes";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import files from "../../plugins/files/plugin.ts";
import { makeFolder } from "./support.ts";

test("read() of Parquet files leads to large row groups in the published files", async () => {
  await using folder = await makeFolder();
  await mkdir(join(folder.path, "exports"));
  await folder.sql("COPY (FROM range(300_000)) TO '@/exports/one.parquet' (ROW_GROUP_SIZE 2048)");
  await using agnes = await createAgnes({
    workspace: folder.path,
    plugins: [files],
    config: { version: 1, sources: { exports: { plugin: "files", options: { path: "exports" } } } },
  });
  await agnes.sync();
  await using database = await openDatabase();
  await using connection = await database.connect();
  const parts = `${folder.path}/data/extracts/exports/data/one/*.parquet`;
  const groups = await connection.rows(
    `SELECT row_group_id, row_group_num_rows AS rows FROM parquet_metadata('${parts}') ORDER BY ALL`,
  );
  expect(groups.map(({ rows }) => Number(rows))).toEqual([122_880, 122_880, 54_240]);
});
