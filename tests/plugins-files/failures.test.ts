import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";

import { makeFolder, rejection, type Folder } from "./support.ts";

let folder: Folder;
beforeEach(async () => {
  folder = await makeFolder();
});
afterEach(async () => {
  await folder[Symbol.asyncDispose]();
});

const discovered = async (options: Record<string, unknown>) => (await folder.connect(options)).tables();

describe("files: failures", () => {
  test("discover() names both files that would be one table", async () => {
    await folder.write("Orders.csv", "id\n1\n");
    await folder.write("orders.ndjson", '{"id":1}\n');
    const found = discovered({ path: "." });
    expect(await rejection(found)).toMatchObject({
      code: "plugin_failed",
      details: { code: "source_name_taken" },
    });
    expect((await rejection(found)).message).toMatch(/Orders\.csv.*orders\.ndjson/);
  });

  test("read() fails for a folder of different formats and names two of its files; other tables work", async () => {
    await folder.write("events/a.csv", "id\n1\n");
    await folder.write("events/b.ndjson", '{"id":1}\n');
    await folder.write("orders.csv", "id\n1\n");
    const source = await folder.connect();
    const tables = await source.tables();
    expect(await source.rows(tables.get("orders"))).toEqual([{ id: 1n }]);
    const { message } = await rejection(source.read(tables.get("events")));
    expect(message).toMatch(/different formats.*a\.csv.*b\.ndjson/);
  });

  test("discover() says when there is nothing at the path", async () => {
    await folder.write("orders.csv", "id\n1\n");
    for (const path of ["nowhere", "*.parquet", "orders.csv/x"]) {
      expect(await rejection(discovered({ path }))).toMatchObject({ details: { code: "source_path_empty" } });
    }
  });

  test("discover() asks for the format of a file whose name does not tell", async () => {
    await folder.write("orders.txt", "id\n1\n");
    expect(await rejection(discovered({ path: "orders.txt" }))).toMatchObject({
      details: { code: "source_format_unknown" },
    });
    expect([...(await discovered({ path: "orders.txt", format: "csv" })).keys()]).toEqual(["orders"]);
  });

  test("discover() refuses settings for a table or a column that is not there", async () => {
    await folder.write("orders.csv", "id\n1\n");
    expect((await rejection(discovered({ path: ".", tables: { order: {} } }))).message).toMatch(
      /tables\.order.*orders/,
    );
    const tables = { orders: { types: { nr: "BIGINT" } } };
    expect((await rejection(discovered({ path: ".", tables }))).message).toMatch(/no column "nr"/);
    expect(
      (await rejection(discovered({ path: ".", tables: { orders: { primaryKey: ["nr"] } } }))).message,
    ).toMatch(/"nr"/);
  });

  test("connect() refuses options without a path and options nobody has", async () => {
    expect(await rejection(folder.connect({}))).toMatchObject({ code: "config_invalid" });
    expect((await rejection(folder.connect({ path: ".", csv: { delimeter: ";" } }))).message).toMatch(
      /delim/,
    );
  });

  test("read() fails only for the table with the bad file, and names the file", async () => {
    await folder.write("good.csv", "id\n1\n");
    await folder.write("empty.csv", "");
    await folder.sql("COPY (FROM range(10000)) TO '@/cut.parquet'");
    const whole = await readFile(join(folder.path, "cut.parquet"));
    await folder.write("cut.parquet", whole.subarray(0, whole.length - 100));
    await folder.write("torn.ndjson", '{"id":1}\n{"id":');
    await folder.write("torn.csv.gz", Bun.gzipSync("id\n1\n2\n3\n").subarray(0, 20));
    const source = await folder.connect({
      path: ".",
      tables: { torn: { path: "torn.ndjson" }, zip: { path: "torn.csv.gz" } },
    });
    const tables = await source.tables();
    expect([...tables.keys()].sort()).toEqual(["cut", "empty", "good", "torn", "zip"]);
    expect(await source.rows(tables.get("good"))).toEqual([{ id: 1n }]);
    for (const [name, file] of [
      ["cut", "cut.parquet"],
      ["empty", "empty.csv"],
      ["torn", "torn.ndjson"],
      ["zip", "torn.csv.gz"],
    ]) {
      expect(await rejection(source.read(tables.get(name!)))).toMatchObject({
        code: "plugin_failed",
        message: expect.stringContaining(file!),
        details: { code: "file_unreadable", table: name },
      });
    }
  });

  test("read() fails only for the table of the options whose path is empty", async () => {
    await folder.write("orders.csv", "id\n1\n");
    const source = await folder.connect({ path: ".", tables: { clicks: { path: "logs/*.csv" } } });
    const tables = await source.tables();
    expect(await source.rows(tables.get("orders"))).toEqual([{ id: 1n }]);
    expect(await rejection(source.read(tables.get("clicks")))).toMatchObject({
      details: { code: "source_path_empty", table: "clicks" },
    });
  });

  test("read() says when the files of a table are gone", async () => {
    const file = await folder.write("orders.csv", "id\n1\n");
    await folder.write("people.csv", "id\n1\n");
    const source = await folder.connect();
    const table = (await source.tables()).get("orders");
    await rm(file);
    expect(await rejection(source.read(table))).toMatchObject({ details: { code: "source_table_gone" } });
  });
});
