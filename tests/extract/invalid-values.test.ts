import { expect, test } from "bun:test";
import { join } from "node:path";

import * as arrow from "apache-arrow";

import { openDatabase, quoteLiteral } from "../../lib/duckdb/mod.ts";
import {
  date,
  decimal,
  int64,
  list,
  struct,
  table,
  utf8,
  type Batch,
  type CsvDialect,
  type FileChunk,
  type FileColumn,
} from "../../lib/kit/mod.ts";
import { incremental, openBench, planOf, type Bench } from "./harness.ts";

const info = table(
  "t",
  { id: int64({ nullable: false }), amount: decimal(12, 2), day: date(), name: utf8() },
  { primaryKey: ["id"] },
);
const plan = planOf(info, { invalidValues: "null" });

const CSV: CsvDialect = {
  delimiter: ",",
  quote: '"',
  escape: '"',
  header: false,
  names: ["id", "amount", "day", "name"],
  nullValues: [""],
  encoding: "utf-8",
  decimalSeparator: ".",
  thousandsSeparator: "",
  skipLines: 0,
  comment: "",
  maxLineBytes: 1 << 20,
};
const COLUMNS: readonly FileColumn[] = [
  { name: "id", type: "BIGINT", given: true },
  { name: "amount", type: "DECIMAL(12,2)", given: true, nullIfEmpty: true },
  { name: "day", type: "DATE", given: true },
  { name: "name", type: "VARCHAR", given: true },
];

const READING = { format: "csv", csv: CSV, columns: COLUMNS } as const;

async function csvFile(bench: Bench, name: string, text: string, isOrigin = true): Promise<FileChunk> {
  const data = join(bench.root, name);
  await bench.services.host.files.write(data, text);
  return { kind: "file", format: "csv", data, reading: READING, ...(isOrigin ? { origin: name } : {}) };
}

const BAD = '1,1.50,2026-01-31,a\n2,x,2026-02-30,b\n3,1e9999,2026-01-01,c\n4,"",,d\n5,1.005,2026-01-02,e\n';
const NOTES = [
  "amount: 3 values are not DECIMAL(12,2) and were set to null",
  "day: 1 value is not DATE and was set to null",
];
const READ = [
  "1 1.50 2026-01-31 a",
  "2 null null b",
  "3 null 2026-01-01 c",
  "4 null null d",
  "5 null 2026-01-02 e",
];

async function rowsOf(bench: Bench, columns = "id, amount, day, name"): Promise<readonly string[]> {
  const texts = columns.split(", ").map((name) => `coalesce(${name}::VARCHAR, 'null')`);
  const sql = `SELECT concat_ws(' ', ${texts.join(", ")}) AS row FROM t ORDER BY id`;
  return (await bench.rows<{ row: string }>(sql)).map(({ row }) => row);
}

/** Syncs batches once. */
async function synced(bench: Bench, batches: readonly Batch[], of = plan) {
  const { tables } = await bench.run([of], async function* () {
    yield* batches;
  } as never);
  return tables[0]!;
}

test("extractSource() sets values of CSV files that do not fit to null, and counts them per column", async () => {
  await using bench = await openBench();
  const good = await csvFile(bench, "b.csv", "7,2.25,2026-03-01,g\n");
  const stats = await synced(bench, [await csvFile(bench, "a.csv", BAD), good]);
  expect(stats).toMatchObject({ status: "extracted", rowsRead: 6, rowsQuarantined: 0, notes: NOTES });
  expect(await rowsOf(bench)).toEqual([...READ, "7 2.25 2026-03-01 g"]);
  // Without a misfit there is no note.
  expect((await synced(bench, [good])).notes).toEqual([]);
  const failed = await synced(bench, [await csvFile(bench, "c.csv", BAD)], planOf(info));
  expect(failed.error?.code).toBe("file_value_invalid");
});

test("extractSource() sums the values of several files, and also without their names", async () => {
  await using bench = await openBench();
  const files = [
    await csvFile(bench, "a.csv", "1,x,,a\n", false),
    await csvFile(bench, "b.csv", "2,y,2026-01-01,b\n", false),
    await csvFile(bench, "c.csv", "3,3,z,c\n", false),
  ];
  expect((await synced(bench, files)).notes).toEqual([
    "amount: 2 values are not DECIMAL(12,2) and were set to null",
    "day: 1 value is not DATE and was set to null",
  ]);
});

test("extractSource() sets texts of Parquet files that do not fit to null", async () => {
  await using bench = await openBench();
  const data = join(bench.root, "a.parquet");
  await using database = await openDatabase();
  await using connection = await database.connect();
  const values = BAD.trim()
    .split("\n")
    .map(
      (line) =>
        `(${line
          .split(",")
          .map((text) => quoteLiteral(text.replaceAll('"', "")))
          .join(", ")})`,
    );
  await connection.run(
    `COPY (SELECT id, amount, nullif(day, '') AS day, name FROM (VALUES ${values.join(", ")}) t(id, amount, day, name)) TO '${data}' (FORMAT parquet)`,
  );
  const reading = { format: "parquet", columns: COLUMNS } as const;
  const chunk: FileChunk = { kind: "file", format: "parquet", data, origin: "a", reading };
  expect((await synced(bench, [chunk])).notes).toEqual(NOTES);
  expect(await rowsOf(bench)).toEqual(READ);
});

const nested = table("t", {
  id: int64(),
  amount: decimal(12, 2),
  day: date(),
  name: utf8(),
  tags: list(int64()),
  hour: { type: new arrow.TimeMicrosecond(), nullable: true },
  owner: struct({ id: int64(), name: utf8(), age: int64() }),
});

test.each(["ndjson", "json"] as const)(
  "extractSource() sets values of %s files that do not fit to null, also nested ones",
  async (format) => {
    await using bench = await openBench();
    const columns: readonly FileColumn[] = [
      { name: "id", type: "BIGINT" },
      { name: "amount", type: "DECIMAL(12,2)" },
      { name: "day", type: "DATE" },
      { name: "name", type: "VARCHAR" },
      { name: "tags", type: "BIGINT[]" },
      { name: "hour", type: "TIME", given: true },
      { name: "owner", type: "STRUCT(id BIGINT, name VARCHAR, age BIGINT)" },
    ];
    const objects = [
      '{"id":1,"amount":1.5,"day":"2026-01-31","name":"a","tags":[1,2],"hour":"10:00:00","owner":{"id":1,"name":"x"}}',
      // Several misfits in one row, in another order, between numbers that become text.
      '{"name":7.50,"owner":{"name":3,"id":"no","age":"old"},"tags":[1,"x",{"y":[2]}],"amount":true,"id":2,"day":"later"}',
      '{"id":3,"amount":[1,{"a":2}],"day":{"id":4},"hour":"25:00:00","owner":7,"tags":null}',
      '{"id":4,"amount":2.25,"day":"2026-02-28","name":"d","tags":[],"hour":"24:00:00","owner":{"id":5}}',
    ];
    const data = join(bench.root, `a.${format}`);
    const text = format === "json" ? `[${objects.join(",\n")}]` : `${objects.join("\n")}\n`;
    await bench.services.host.files.write(data, text);
    const chunk: FileChunk = { kind: "file", format, data, origin: "a", reading: { format, columns } };
    const stats = await synced(bench, [chunk], planOf(nested, { invalidValues: "null" }));
    expect(stats.error).toBeUndefined();
    expect([...stats.notes].sort()).toEqual([
      "amount: 2 values are not DECIMAL(12,2) and were set to null",
      "day: 2 values are not DATE and were set to null",
      "hour: 2 values are not TIME and were set to null",
      "owner: 2 values are not STRUCT(id BIGINT, name VARCHAR, age BIGINT) and were set to null",
      "tags: 1 value is not BIGINT[] and was set to null",
    ]);
    expect(await rowsOf(bench, "id, amount, day, name, tags, hour, owner")).toEqual([
      "1 1.50 2026-01-31 a [1, 2] 10:00:00 {'id': 1, 'name': x, 'age': NULL}",
      "2 null null 7.50 null null null",
      "3 null null null null null null",
      "4 2.25 2026-02-28 d [] null {'id': 5, 'name': NULL, 'age': NULL}",
    ]);
  },
);

test("extractSource() sets values of row objects that do not fit to null, also if only a nested value does not", async () => {
  await using bench = await openBench();
  const rows = [
    { id: 1, amount: "1.50", tags: [1, 2], owner: { id: 1, name: "x" } },
    { id: 2, amount: "x", tags: [1, "y"], owner: { id: {}, name: "z" } },
    { id: 3, amount: true, tags: null, owner: { id: 3 } },
    ...Array.from({ length: 9_000 }, (_, at) => ({ id: at + 4, amount: at === 8_500 ? "no" : at })),
  ];
  const stats = await synced(bench, [rows as never], planOf(nested, { invalidValues: "null" }));
  expect(stats.notes).toEqual([
    "amount: 3 values are not DECIMAL(12,2) and were set to null",
    "tags: 1 value is not BIGINT[] and was set to null",
    'owner: 1 value is not STRUCT("id" BIGINT, "name" VARCHAR, "age" BIGINT) and was set to null',
  ]);
  expect((await rowsOf(bench, "id, amount, tags, owner")).slice(0, 3)).toEqual([
    "1 1.50 [1, 2] {'id': 1, 'name': x, 'age': NULL}",
    "2 null null null",
    "3 null null {'id': 3, 'name': NULL, 'age': NULL}",
  ]);
  expect(await bench.rows("SELECT count(*) AS n, count(amount) AS a FROM t")).toEqual([
    { n: 9_003n, a: 9_000n },
  ]);
});

test("extractSource() fails at a value of a key or of a column without nulls that does not fit", async () => {
  const wanted = table(
    "t",
    { id: int64(), amount: decimal(12, 2, { nullable: false }) },
    { primaryKey: ["id"] },
  );
  const strict = planOf(wanted, { invalidValues: "null", primaryKey: ["id"] });
  for (const [column, id, amount] of [
    ["id", "x", "1"],
    ["amount", "1", "x"],
  ] as const) {
    await using bench = await openBench();
    const rows = await synced(bench, [[{ id, amount }]], strict);
    expect(rows.error).toMatchObject({ code: "value_invalid", details: { column, value: '"x"' } });
    const data = join(bench.root, "a.csv");
    await bench.services.host.files.write(data, `${id},${amount}\n`);
    const columns = COLUMNS.slice(0, 2);
    const reading = { format: "csv", csv: { ...CSV, names: ["id", "amount"] }, columns } as const;
    const chunk: FileChunk = { kind: "file", format: "csv", data, origin: "a.csv", reading };
    const file = await synced(bench, [chunk], strict);
    expect(file.error).toMatchObject({
      code: "file_value_invalid",
      details: { file: "a.csv", column, value: "x" },
    });
  }
  await using bench = await openBench();
  const missing = await synced(bench, [[{ id: 1, amount: null }]], strict);
  expect(missing.error).toMatchObject({ code: "value_invalid", details: { column: "amount" } });
});

test("extractSource() fails at a value of the cursor column that does not fit", async () => {
  await using bench = await openBench();
  const dated = incremental(info, { invalidValues: "null", primaryKey: [], cursor: "day" });
  const stats = await synced(bench, [[{ id: 1, day: "soon" }]], dated);
  expect(stats.error).toMatchObject({ code: "value_invalid", details: { column: "day" } });
});

test("extractSource() still fails at a record that is not a row", async () => {
  await using bench = await openBench();
  const stats = await synced(bench, [await csvFile(bench, "a.csv", "1,x,,a\n2,1,b\n")]);
  expect(stats.error).toMatchObject({ code: "file_row_invalid", details: { line: 2 } });
});

test("extractSource() counts only published columns", async () => {
  await using bench = await openBench();
  const stats = await synced(bench, [await csvFile(bench, "a.csv", BAD)], {
    ...plan,
    columns: ["id", "day"],
  });
  expect(stats.notes).toEqual([NOTES[1]!]);
});

test("extractSource() reads a table in full when values that do not fit may no longer be null", async () => {
  await using bench = await openBench();
  const nulling = incremental(info, { invalidValues: "null" });
  const rows = [
    { id: 1, amount: "1.50" },
    { id: 2, amount: "x" },
  ];
  const read = (of: typeof nulling, batch: Batch) =>
    bench.run([of], async function* (_: unknown, { isDelta }: { isDelta?: boolean }) {
      yield isDelta === true ? [] : batch;
      return { state: 1 };
    } as never);
  await read(nulling, rows);
  // Rows that a delta does not yield keep their nulls.
  expect((await read(nulling, rows)).tables[0]).toMatchObject({ status: "unchanged", rowsRead: 0 });
  const strict = { ...nulling, invalidValues: "fail" } as const;
  expect((await read(strict, rows)).tables[0]!.error).toMatchObject({ code: "value_invalid" });
  const fixed = await read(strict, [rows[0]!, { id: 2, amount: "2.50" }]);
  expect(fixed.tables[0]).toMatchObject({ full: true, rows: 2 });
  expect(fixed.tables[0]!.notes[0]).toBe(
    "values that do not fit were set to null, so the table was read in full",
  );
  expect((await read(strict, rows)).tables[0]).toMatchObject({ full: false });
});

test("extractSource() counts the values of a table that is read again once", async () => {
  await using bench = await openBench();
  let reads = 0;
  const read = async function* () {
    reads += 1;
    yield [{ id: reads, amount: "x" }] as never;
    return { state: reads, tableRows: 1 };
  };
  const nulling = incremental(info, { invalidValues: "null" });
  await bench.run([nulling], read as never);
  reads += 10;
  const stats = await bench.run([nulling], async function* () {
    yield* read();
    yield [{ id: 99, amount: "y" }] as never;
    return { state: reads, tableRows: 9 };
  } as never);
  expect(stats.tables[0]!.notes.filter((note) => note.startsWith("amount"))).toEqual([
    "amount: 2 values are not DECIMAL(12,2) and were set to null",
  ]);
});
