import { expect, test } from "bun:test";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import { makeFolder } from "./support.ts";
import { syncFolder } from "./sync-folder.ts";

const ROWS = 3000;
const csv = `id,name\n${Array.from({ length: ROWS }, (_, id) => `${id},n${id}\n`).join("")}`;
const lines = Array.from({ length: ROWS }, (_, id) => `{"id":${id},"name":"n${id}"}\n`).join("");
const files: Readonly<Record<string, string | Uint8Array>> = {
  "A.CSV": csv,
  "B.CSV.GZ": gzipSync(csv),
  "C.Csv.Zst": zstdCompressSync(csv),
  "D.TSV.GZ": gzipSync(csv.replaceAll(",", "\t")),
  "E.NDJSON.GZ": gzipSync(lines),
  "F.JSONL.ZST": zstdCompressSync(lines),
  "G.JSON.GZ": gzipSync(`[${lines.trimEnd().replaceAll("\n", ",")}]`),
};

test("files with upper-case extensions are read and decompressed, also again and in a folder", async () => {
  await using folder = await makeFolder();
  for (const [name, content] of Object.entries(files)) await folder.write(join("data", name), content);
  await folder.write(join("data", "pair", "ONE.CSV.GZ"), gzipSync(csv));
  await folder.write(join("data", "pair", "two.csv"), csv);
  await folder.sql(
    `COPY (SELECT range AS id, 'n' || range AS name FROM range(${ROWS})) TO '@/data/h.parquet'`,
  );
  await folder.sql("COPY (FROM '@/data/h.parquet') TO '@/data/I.PARQUET' (FORMAT parquet)");
  const first = await syncFolder(folder, { path: "data" });
  const names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "pair"].toSorted();
  expect(first.errors).toEqual([]);
  expect(first.tables.map(({ name, rows }) => `${name} ${rows}`).toSorted()).toEqual(
    names.map((name) => `${name} ${name === "pair" ? 2 * ROWS : ROWS}`),
  );
  const again = await syncFolder(folder, { path: "data" });
  expect(again.tablesSkipped).toBe(names.length);

  await using database = await openDatabase({
    path: join(folder.path, "extract/extract.duckdb"),
    readOnly: true,
  });
  await using connection = await database.connect();
  for (const name of names) {
    const [row] = await connection.rows(
      `SELECT count(DISTINCT id) AS ids, sum(id) AS sum, bool_and(name = 'n' || id) AS same FROM ${name}`,
    );
    expect([name, Number(row!["ids"]), row!["same"]]).toEqual([name, ROWS, true]);
  }
});

test("a file with an upper-case extension is a source", async () => {
  await using folder = await makeFolder();
  await folder.write("ORDERS.CSV.GZ", gzipSync("id\n1\n2\n"));
  const { tables, errors } = await syncFolder(folder, { path: "ORDERS.CSV.GZ" });
  expect(errors).toEqual([]);
  expect(tables.map(({ name, rows }) => [name, rows])).toEqual([["orders", 2]]);
});
