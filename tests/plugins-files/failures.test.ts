import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";

import { fingerprintFiles } from "../../plugins/files/changes.ts";
import { findTables } from "../../plugins/files/scan.ts";
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
  test("discover() fails only the table that two files map to, and names both", async () => {
    await folder.write("Orders.csv", "id\n1\n");
    await folder.write("orders.ndjson", '{"id":1}\n');
    await folder.write("a-b.csv", "id\n1\n");
    await folder.write("a_b.csv", "id\n1\n");
    await folder.write("people.csv", "id\n1\n");
    const tables = await discovered({ path: "." });
    expect([...tables.keys()].sort()).toEqual(["a_b", "orders", "people"]);
    expect(tables.get("people")!.problem).toBeUndefined();
    expect(tables.get("orders")!.problem).toMatchObject({
      code: "files/name_taken",
      message: expect.stringMatching(/Orders\.csv.*orders\.ndjson/),
    });
    expect(tables.get("a_b")!.problem!.message).toMatch(/a-b\.csv.*a_b\.csv/);
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

  test("discover() fails if the path does not exist", async () => {
    await folder.write("orders.csv", "id\n1\n");
    for (const path of ["nowhere", "*.parquet", "orders.csv/x"]) {
      expect(await rejection(discovered({ path }))).toMatchObject({ code: "source_path_empty" });
    }
  });

  test("discover() requires `format` for a file without a known extension", async () => {
    await folder.write("orders.txt", "id\n1\n");
    expect(await rejection(discovered({ path: "orders.txt" }))).toMatchObject({
      code: "files/format_unknown",
    });
    expect([...(await discovered({ path: "orders.txt", format: "csv" })).keys()]).toEqual(["orders"]);
  });

  test("discover() fails only the table whose settings name a missing column or file", async () => {
    await folder.write("orders.csv", "id\n1\n");
    await folder.write("people.csv", "id\n1\n");
    const problemOf = async (settings: Record<string, unknown>, name: string) => {
      const tables = await discovered({ path: ".", tables: settings });
      expect(tables.get("people")!.problem).toBeUndefined();
      return tables.get(name)!.problem!.message;
    };
    expect(await problemOf({ order: {} }, "order")).toMatch(/tables\.order.*orders/);
    expect(await problemOf({ orders: { types: { nr: "BIGINT" } } }, "orders")).toMatch(/no column "nr"/);
    expect(await problemOf({ orders: { primaryKey: ["nr"] } }, "orders")).toMatch(/"nr"/);
    expect(await problemOf({ orders: {}, Orders: {} }, "orders")).toMatch(/tables\.orders.*two entries/);
  });

  test("connect() rejects options without a path and unknown options", async () => {
    expect(await rejection(folder.connect({}))).toMatchObject({ code: "config_invalid" });
    expect((await rejection(folder.connect({ path: ".", csv: { delimeter: ";" } }))).message).toMatch(
      /delim/,
    );
  });

  test("read() fails only for the table with the damaged file, and names the file", async () => {
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
    for (const [name, file, code = "file_unreadable"] of [
      ["cut", "cut.parquet"],
      ["empty", "empty.csv", "files/files_empty"],
      ["torn", "torn.ndjson"],
      ["zip", "torn.csv.gz"],
    ] as const) {
      expect(await rejection(source.read(tables.get(name)))).toMatchObject({
        code,
        message: expect.stringContaining(file),
      });
    }
  });

  test("read() fails only for the configured table whose path is empty", async () => {
    await folder.write("orders.csv", "id\n1\n");
    const source = await folder.connect({ path: ".", tables: { clicks: { path: "logs/*.csv" } } });
    const tables = await source.tables();
    expect(await source.rows(tables.get("orders"))).toEqual([{ id: 1n }]);
    expect(await rejection(source.read(tables.get("clicks")))).toMatchObject({
      code: "source_path_empty",
    });
  });

  test("discover() fails only the path of the source if other tables have their own", async () => {
    await folder.write("logs/clicks.csv", "id\n1\n");
    const clicks = { path: "logs/*.csv" };
    for (const path of ["nowhere.csv", "nowhere", "*.parquet"]) {
      const tables = await discovered({ path, tables: { clicks } });
      expect(tables.get("clicks")!.problem).toBeUndefined();
      const others = [...tables.values()].filter(({ name }) => name !== "clicks");
      expect(others).toMatchObject([{ problem: { code: "source_path_empty" } }]);
    }
  });

  test("read() names a file that is removed between listing and reading", async () => {
    const file = await folder.write("events/a.csv", "id\n1\n");
    await folder.write("events/b.csv", "id\n1\n");
    const { signal } = new AbortController();
    const found = await findTables(folder.path, { followLinks: false, roots: [] });
    await rm(file);
    const files = found[0]!.files.map((path) => [path, path] as const);
    expect(await rejection(fingerprintFiles(files, { now: () => new Date(), signal }))).toMatchObject({
      code: "file_failed",
      message: expect.stringContaining("a.csv"),
    });
  });

  test("read() fails if the files of a table no longer exist", async () => {
    const file = await folder.write("orders.csv", "id\n1\n");
    await folder.write("people.csv", "id\n1\n");
    const source = await folder.connect();
    const table = (await source.tables()).get("orders");
    await rm(file);
    expect(await rejection(source.read(table))).toMatchObject({ code: "files/table_gone" });
  });
});
