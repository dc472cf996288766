import { expect, test } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";

import { createAgnes, type AgnesError } from "agnes";

import { discoverTables } from "../../lib/sources/mod.ts";
import duckdb from "../../plugins/duckdb/plugin.ts";
import { makeWarehouse } from "./support.ts";

test("tables whose names have spaces and accents are registered, synced and queried", async () => {
  await using warehouse = await makeWarehouse(`
    CREATE TABLE "Order Details" AS SELECT 1 AS "Unit Price";
    CREATE SCHEMA "Můj sklad";
    CREATE TABLE "Můj sklad"."Objednávky 2024" AS SELECT 2 AS id;`);
  await using agnes = await createAgnes({
    workspace: warehouse.directory,
    plugins: [duckdb],
    config: {
      version: 1,
      sources: { wh: { plugin: "duckdb", register: "all", options: { path: "warehouse.duckdb" } } },
    },
  });
  const { status } = await agnes.sync();
  expect(status).toBe("complete");
  expect((await agnes.catalog()).map(({ name }) => name)).toEqual(["objednavky_2024", "order_details"]);
  expect(await (await agnes.tables()).find("objednavky_2024")).toMatchObject({
    sourceTable: "Můj sklad.Objednávky 2024",
    bucket: "Můj sklad",
  });
  expect(await agnes.rows('SELECT "Unit Price" AS price, id FROM order_details, objednavky_2024')).toEqual([
    { price: 1, id: 2 },
  ]);
});

test("a damaged database, or one of another DuckDB version, is reported with its path and a hint", async () => {
  await using warehouse = await makeWarehouse("CREATE TABLE t AS SELECT 1 AS a");
  const bytes = await readFile(warehouse.file);
  const checksum = () => {
    let sum = 5381n;
    for (let at = 8; at < 4096; at += 8)
      sum ^= BigInt.asUintN(64, bytes.readBigUInt64LE(at) * 0xbf58476d1ce4e5b9n);
    return sum;
  };
  expect(bytes.readBigUInt64LE(0)).toBe(checksum());
  const failure = async () => {
    await writeFile(warehouse.file, bytes);
    const source = await warehouse.connect();
    return discoverTables(source).then(
      () => null,
      (error: AgnesError) => ({ code: error.code, message: error.message, hint: error.hint }),
    );
  };
  bytes.writeBigUInt64LE(99n, 12);
  const damaged = await failure();
  expect(damaged?.code).toBe("file_unreadable");
  expect(damaged?.message).toMatch(/warehouse\.duckdb": Corrupt database file: /);
  expect(damaged?.hint).toStartWith("Write the file again, or correct `path`");
  bytes.writeBigUInt64LE(checksum(), 0);
  const newer = await failure();
  expect(newer?.code).toBe("file_unreadable");
  expect(newer?.message).toMatch(
    /warehouse\.duckdb": Trying to read a database file with version number 99, .* newer version of DuckDB\.$/,
  );
  expect(newer?.hint).toMatch(/^Copy it to an older storage version/);
});
