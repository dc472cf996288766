import { afterEach, beforeEach, describe, expect, test } from "bun:test";

import { columnsOf, makeFolder, type Folder } from "./support.ts";

let folder: Folder;
beforeEach(async () => {
  folder = await makeFolder();
});
afterEach(async () => {
  await folder[Symbol.asyncDispose]();
});

describe("files: discover()", () => {
  test("discover() creates a table for each file and each sub-folder", async () => {
    await folder.write("orders.csv", "id,at\n1,2026-01-01\n");
    await folder.write("People List.tsv", "name\tage\nAda\t36\n");
    await folder.write("notes.ndjson", '{"id":1,"tags":["a"]}\n');
    await folder.write("days.json", '[{"day":"2026-01-01"}]');
    await folder.write("events/2025/a.csv", "id\n1\n");
    await folder.write("events/b.csv.gz", Bun.gzipSync("id\n2\n"));
    await folder.sql("COPY (SELECT 1::INTEGER AS n, 1.50::DECIMAL(9,2) AS price) TO '@/prices.parquet'");
    const tables = await (await folder.connect()).tables();
    expect([...tables].map(([name, table]) => [name, columnsOf(table)])).toEqual([
      ["people_list", ["name:Utf8", "age:Int64"]],
      ["days", ["day:Date32<DAY>"]],
      ["events", ["id:Int64"]],
      ["notes", ["id:Int64", "tags:List<Utf8>"]],
      ["orders", ["id:Int64", "at:Date32<DAY>"]],
      ["prices", ["n:Int32", "price:Decimal[9e+2]"]],
    ]);
  });

  test("discover() ignores hidden, temporary and unknown files", async () => {
    await folder.write("orders.csv", "id\n1\n");
    for (const name of [
      ".hidden.csv",
      "_staging.csv",
      "~orders.csv",
      "late.csv.tmp",
      "more.csv.part",
      "README.md",
    ]) {
      await folder.write(name, "id\n1\n");
    }
    await folder.write("scripts/run.sh", "true");
    await folder.write(".git/a.csv", "id\n1\n");
    expect([...(await (await folder.connect()).tables()).keys()]).toEqual(["orders"]);
  });

  test("discover() accepts one file or a glob, and reads below hidden folders if configured", async () => {
    await folder.write(".cache/orders_1.csv", "id\n1\n");
    await folder.write(".cache/orders_2.csv", "id\n2\n");
    await folder.write(".cache/people.csv", "id\n2\n");
    await folder.write(".cache/.part/orders_3.csv", "id\n2\n");
    const names = async (path: string) => [...(await (await folder.connect({ path })).tables()).keys()];
    expect(await names(".cache/people.csv")).toEqual(["people"]);
    expect(await names(".cache/orders_*.csv")).toEqual(["orders_1", "orders_2"]);
    expect(await names(".cache/**/*.csv")).toEqual(["orders_1", "orders_2", "people"]);
  });

  test("discover() joins the files of a glob into one table if `tables` contains it", async () => {
    await folder.write("orders_1.csv", "id\n1\n");
    await folder.write("orders_2.csv", "id\n2\n");
    await folder.write("people.csv", "name\nAda\n");
    const tables = { orders: { path: "orders_*.csv", primaryKey: ["id"], description: "All orders" } };
    const source = await folder.connect({ path: ".", tables });
    const found = await source.tables();
    expect([...found.keys()]).toEqual(["orders", "people"]);
    expect(found.get("orders")).toMatchObject({ primaryKey: ["id"], description: "All orders" });
    expect(await source.rows(found.get("orders"))).toEqual([{ id: 1n }, { id: 2n }]);
  });

  test("discover() merges the columns of a folder by name, with types that hold the values of all files", async () => {
    await folder.write("events/a.csv", "id,value,day\n1,2,2026-01-01\n");
    await folder.write("events/b.csv", "id,extra,value\n2,x,2.5\n");
    await folder.write("events/c.csv", "id,value\nthree,4\n");
    await folder.write("events/d.csv", "id,value,day\n");
    await folder.write("events/e.csv", "");
    const source = await folder.connect();
    const table = (await source.tables()).get("events");
    expect(columnsOf(table)).toEqual(["id:Utf8", "value:Decimal[18e+1]", "day:Date32<DAY>", "extra:Utf8"]);
    const { chunks } = await source.read(table);
    expect(chunks.map(({ origin }) => origin)).toEqual(["a.csv", "b.csv", "c.csv", "d.csv", "e.csv"]);
    expect(new Set(chunks.map(({ reading }) => reading!.columns))).toEqual(
      new Set([
        [
          { name: "id", type: "VARCHAR" },
          { name: "value", type: "DECIMAL(18,1)" },
          { name: "day", type: "DATE" },
          { name: "extra", type: "VARCHAR" },
        ],
      ]),
    );
  });

  test("discover() merges JSON objects field by field", async () => {
    await folder.write("events/a.ndjson", '{"id":1,"who":{"name":"Ada"}}\n');
    await folder.write("events/b.ndjson", '{"id":2,"who":{"name":"Bob","age":4}}\n');
    const table = (await (await folder.connect()).tables()).get("events");
    expect(columnsOf(table)[1]).toMatch(/name:\s*Utf8.*age:\s*Int64/);
  });

  test("discover() inspects a whole file, so that a late value decides the type", async () => {
    const ids = Array.from({ length: 60_000 }, (_, id) => id).join("\n");
    await folder.write("late.csv", `id\n${ids}\nx1\n`);
    const source = await folder.connect();
    const table = (await source.tables()).get("late");
    expect(columnsOf(table)).toEqual(["id:Utf8"]);
    expect(await source.rows(table)).toHaveLength(60_001);
  });

  test("discover() uses the first line as column names even if all values are text or all are numbers", async () => {
    await folder.write("texts.csv", "\ufeffcode,name\na,b\nc,d\n");
    await folder.write("header.csv", "id,name\n");
    await folder.write("years.csv", "2024,2025\n1,2\n");
    const source = await folder.connect();
    const tables = await source.tables();
    expect(await source.rows(tables.get("texts"))).toEqual([
      { code: "a", name: "b" },
      { code: "c", name: "d" },
    ]);
    expect(await source.rows(tables.get("years"))).toEqual([{ 2024: 1n, 2025: 2n }]);
    expect(columnsOf(tables.get("header"))).toEqual(["id:Utf8", "name:Utf8"]);
    expect(await source.rows(tables.get("header"))).toEqual([]);
  });

  test("discover() reads configured encodings, separators and nulls", async () => {
    await folder.write("latin.csv", Buffer.from("id;name\n1;caf\xe9\n2;-\n", "latin1"));
    const csv = { encoding: "latin-1", delimiter: ";", nullValues: ["-"] };
    const source = await folder.connect({ path: ".", csv });
    const tables = await source.tables();
    expect(await source.rows(tables.get("latin"))).toEqual([
      { id: 1n, name: "café" },
      { id: 2n, name: null },
    ]);
  });

  test("discover() uses types from the options instead of detecting them", async () => {
    await folder.write("zips.csv", "zip,n\n01234,1\n");
    const source = await folder.connect({ path: ".", tables: { zips: { types: { zip: "VARCHAR" } } } });
    const table = (await source.tables()).get("zips");
    expect(columnsOf(table)).toEqual(["zip:Utf8", "n:Int64"]);
    expect(await source.rows(table)).toEqual([{ zip: "01234", n: 1n }]);
  });

  test("discover() reads a file whose name contains quotes and glob characters", async () => {
    await folder.write("it's [1] *.csv", "id\n1\n");
    await folder.write("it's 1 x.csv", "other\nx\n");
    const source = await folder.connect();
    const tables = await source.tables();
    expect(await source.rows(tables.get("it_s_1"))).toEqual([{ id: 1n }]);
  });

  test("discover() reads wide rows", async () => {
    const names = Array.from({ length: 2000 }, (_, column) => `c${column}`);
    await folder.write("wide.csv", `${names.join(",")}\n${names.map((_, column) => column).join(",")}\n`);
    const source = await folder.connect();
    const table = (await source.tables()).get("wide");
    expect(table!.schema.fields).toHaveLength(2000);
    expect((await source.rows(table))[0]!["c1999"]).toBe(1999n);
  });

  test("discover() creates no column for a folder named like year=2024", async () => {
    await folder.write("csv/year=2024/a.csv", "id,year\n1,x\n");
    await folder.write("csv/year=2025/a.csv", "id,year\n2,y\n");
    await folder.write("json/year=2024/a.ndjson", '{"id":1}\n');
    await folder.write("parquet/year=2024/day=1/a.tmp", "");
    await folder.sql("COPY (SELECT 1::INTEGER AS id) TO '@/parquet/year=2024/day=1/a.parquet'");
    const source = await folder.connect();
    const tables = await source.tables();
    expect([...tables].map(([name, table]) => [name, columnsOf(table)])).toEqual([
      ["csv", ["id:Int64", "year:Utf8"]],
      ["json", ["id:Int64"]],
      ["parquet", ["id:Int32"]],
    ]);
    expect(await source.rows(tables.get("csv"))).toEqual([
      { id: 1n, year: "x" },
      { id: 2n, year: "y" },
    ]);
    expect(await source.rows(tables.get("json"))).toEqual([{ id: 1n }]);
    expect(await source.rows(tables.get("parquet"))).toEqual([{ id: 1 }]);
  });
});
