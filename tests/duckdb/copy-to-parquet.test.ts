import { createHash } from "node:crypto";
import { readdir, readFile, readlink, writeFile } from "node:fs/promises";

import * as arrow from "apache-arrow";
import { expect, test } from "bun:test";

import { nodeFiles } from "../../lib/base/mod.ts";
import { checkParquetInput, copyToParquet, hasNegativeZero } from "../../lib/duckdb/mod.ts";
import { batchOf, open, rejection, sourceOf, temporaryDirectory } from "./support.ts";

test("copyToParquet() writes version 1 pages for any range of values", async () => {
  await using session = await open();
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/a.parquet`;
  const sql = `SELECT (hash(i) % 4000000000)::UINTEGER AS u, ((hash(i) % 4000000000)::BIGINT - 2000000000)::INTEGER AS n,
    DATE '2000-01-01' + (hash(i) % 9000)::INTEGER AS d, 'text ' || i AS t, i AS big, i / 7 AS f,
    ('blob ' || i)::BLOB AS b, [i::INTEGER * 7919] AS l FROM range(200000) r(i)`;
  await copyToParquet(session.database, { kind: "sql", sql }, path);
  const rows = await session.connection.rows<{ encodings: string }>(
    `SELECT DISTINCT unnest(string_split(encodings, ', ')) AS encodings FROM parquet_metadata('${path}')`,
  );
  const known = ["PLAIN", "PLAIN_DICTIONARY", "RLE", "RLE_DICTIONARY", "BIT_PACKED"];
  expect(rows.map((row) => row.encodings).filter((encoding) => !known.includes(encoding))).toEqual([]);
});

const ZEROS = "CASE WHEN i % 3 = 0 THEN '-0.0' WHEN i % 3 = 1 THEN '0.0' ELSE '1.5' END";

test.each([
  ["doubles", `${ZEROS}::DOUBLE AS v, 'same' AS s`],
  ["floats", `${ZEROS}::FLOAT AS v`],
  ["lists", `[${ZEROS}::DOUBLE] AS v`],
  ["records", `{'x': ${ZEROS}::FLOAT} AS v`],
])("copyToParquet() keeps both zeros of %s of a query", async (_name, columns) => {
  await using session = await open();
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/a.parquet`;
  const sql = `SELECT i, ${columns} FROM range(9000) r(i)`;
  await copyToParquet(session.database, { kind: "sql", sql }, path, { ordered: true });
  const differing = await session.connection.rows(
    `SELECT count(*) AS n FROM (${sql}) a JOIN '${path}' b USING (i) WHERE a.v::VARCHAR <> b.v::VARCHAR`,
  );
  expect(differing).toEqual([{ n: 0n }]);
});

test.each(["DOUBLE", "FLOAT"])("a %s of 0.0 is found by -0.0 and by a join with it", async (type) => {
  await using session = await open();
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/a.parquet`;
  const sql = `SELECT (i % 3)::${type} AS v FROM range(9000) r(i)`;
  await copyToParquet(session.database, { kind: "sql", sql }, path);
  const negative = `'-0.0'::${type}`;
  const found = await session.connection.rows(
    `SELECT (SELECT count(*) FROM '${path}' WHERE v = ${negative}) AS equal,
      (SELECT count(*) FROM '${path}' JOIN (SELECT ${negative} AS v) USING (v)) AS joined`,
  );
  expect(found).toEqual([{ equal: 3000n, joined: 3000n }]);
});

test("copyToParquet() keeps both zeros of partitions, each row once", async () => {
  await using session = await open();
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/parts`;
  const sql = `SELECT i, ${ZEROS}::DOUBLE AS v, i % 2 AS p FROM range(9000) r(i)`;
  const copied = await copyToParquet(session.database, { kind: "sql", sql }, path, { partitionBy: "p" });
  expect(copied.rows).toBe(9000);
  const found = await session.connection.rows(
    `SELECT v::VARCHAR AS v, count(*) AS n FROM '${path}/*/*.parquet' GROUP BY ALL ORDER BY v`,
  );
  expect(found).toEqual(["-0.0", "0.0", "1.5"].map((v) => ({ v, n: 3000n })));
});

test("copyToParquet() keeps both zeros of batches without withoutNegativeZero", async () => {
  await using session = await open();
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/a.parquet`;
  const v = arrow.vectorFromArray([0, -0, 0, -0, 1], new arrow.Float64());
  const batch = batchOf({ v });
  const source = sourceOf(batch.schema, async function* () {
    yield batch;
  });
  await copyToParquet(session.database, { kind: "stream", source }, path, { ordered: true });
  const rows = await session.connection.rows<{ v: number }>(`SELECT v FROM '${path}'`);
  expect(rows.map((row) => row.v)).toEqual([0, -0, 0, -0, 1]);
});

test.each([
  ["a double", new arrow.Float64(), [1, -0], true],
  ["a float", new arrow.Float32(), [1, -0], true],
  ["a half float", new arrow.Float16(), [1, -0], true],
  [
    "an item of a list",
    new arrow.List(new arrow.Field("item", new arrow.Float64(), true)),
    [[1], [-0]],
    true,
  ],
  ["positive zeros", new arrow.Float64(), [0, 1, -1, Number.MIN_VALUE, -Number.MIN_VALUE], false],
  ["the smallest long", new arrow.Int64(), [-(2n ** 63n)], false],
])("hasNegativeZero() detects a negative zero in %s", (_name, type, values, expected) => {
  expect(hasNegativeZero(batchOf({ v: arrow.vectorFromArray<arrow.DataType>(values, type) }))).toBe(expected);
});

test("copyToParquet() converts types that Parquet does not support, and rejects numbers out of range", async () => {
  await using session = await open();
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/a.parquet`;
  const copy = (sql: string) => copyToParquet(session.database, { kind: "sql", sql }, path);
  await copy(
    `SELECT 99999999999999999999999999999999999999::HUGEINT AS h, 340282366920938463463374607431768211455::UHUGEINT AS u,
       INTERVAL '-1 month 5 days -00:00:00.000001' AS i, '10:00:00+05:30'::TIMETZ AS t, '2020-01-01'::TIMESTAMP_S AS s`,
  );
  expect(await session.connection.rows(`SELECT typeof(h) AS type, * FROM '${path}'`)).toEqual([
    {
      type: "DECIMAL(38,0)",
      h: "99999999999999999999999999999999999999",
      u: "340282366920938463463374607431768211455",
      i: "-1 month 5 days -00:00:00.000001",
      t: "10:00:00+05:30",
      s: "2020-01-01 00:00:00",
    },
  ]);
  const error = await rejection(copy("SELECT 170141183460469231731687303715884105727::HUGEINT AS h"));
  expect(error.message).toContain("170141183460469231731687303715884105727");
});

test("copyToParquet() and describe() keep the order of thousands of columns", async () => {
  await using session = await open();
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/a.parquet`;
  const names = Array.from({ length: 2100 }, (_, at) => `c${at}`);
  const sql = `SELECT ${names.map((name, at) => `${at}::SMALLINT AS ${name}`).join(", ")}`;
  await copyToParquet(session.database, { kind: "sql", sql }, path);
  const columns = await session.connection.describe(`FROM '${path}'`);
  expect(columns.map((column) => column.name)).toEqual(names);
});

test.each([
  ["a decimal of too many digits", "DECIMAL"],
  ["a time in UTC with nanoseconds", "1577836800123456789 ns"],
])("checkParquetInput() rejects %s", async (_name, reason) => {
  const file = reason === "DECIMAL" ? "decimal-60.parquet" : "nanoseconds.parquet";
  const error = await rejection(
    checkParquetInput(nodeFiles(), new URL(`inputs/${file}`, import.meta.url).pathname),
  );
  expect(error.code).toBe("type_unsupported");
  expect(error.message).toContain(reason);
});

test("checkParquetInput() accepts timestamps in UTC without fractions of a microsecond", async () => {
  await checkParquetInput(nodeFiles(), new URL("inputs/microseconds.parquet", import.meta.url).pathname);
});

test.each([
  ["an empty file", "SELECT 1 AS i WHERE false"],
  ["many row groups", "SELECT i, hash(i) AS h FROM range(400000) r(i)"],
  [
    "a copy that is made twice, since a zero of it is negative",
    "SELECT i, -0.0::DOUBLE AS z FROM range(99) r(i)",
  ],
])("copyToParquet() hashes the bytes that it wrote: %s", async (_name, sql) => {
  await using session = await open();
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/a.parquet`;
  await writeFile(path, "what a copy before left there".repeat(1000));
  const copied = await copyToParquet(session.database, { kind: "sql", sql }, path, { hashed: true });
  const written = await readFile(path);
  expect(copied.sizeBytes).toBe(written.length);
  expect(copied.sha256).toBe(createHash("sha256").update(written).digest("hex"));
});

test("copyToParquet() releases the file when a hashed copy fails", async () => {
  await using session = await open();
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/a.parquet`;
  const sql =
    "SELECT CASE WHEN i = 300000 THEN error('not this one') ELSE hash(i) END AS i FROM range(400000) r(i)";
  const error = await rejection(
    copyToParquet(session.database, { kind: "sql", sql }, path, { hashed: true, ordered: true }),
  );
  expect(String(error)).toContain("not this one");
  const handles = await Promise.all(
    (await readdir("/proc/self/fd")).map((name) => readlink(`/proc/self/fd/${name}`).catch(() => "")),
  );
  expect(handles.filter((target) => target.startsWith(path))).toEqual([]);
});

test("copyToParquet() returns the exact bounds of the values, or none", async () => {
  await using session = await open();
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/a.parquet`;
  const columns = {
    tiny: "(i % 100 - 50)::TINYINT",
    unsigned: "18446744073709551615::UBIGINT - i::UBIGINT",
    huge: "i::HUGEINT * 1000000000000000000000",
    small_decimal: "(i - 3000)::DECIMAL(9, 2)",
    large_decimal: "(i - 3000)::DECIMAL(38, 5)",
    day: "CASE WHEN i = 1 THEN DATE '-44-03-15' WHEN i = 2 THEN 'infinity' ELSE DATE '2020-01-01' END",
    moment: "TIMESTAMP '1960-01-01 00:00:00.5' + INTERVAL (i) HOUR",
    seconds: "CAST(TIMESTAMP '1960-01-01' + INTERVAL (i) HOUR AS TIMESTAMP_S)",
    nanoseconds: "CAST('2020-01-01 00:00:00.123456789' AS TIMESTAMP_NS)",
    zoned: "TIMESTAMPTZ '2020-01-01 00:00:00+00' + INTERVAL (i) HOUR",
    hour: "TIME '10:00:01' + INTERVAL (i) SECOND",
    text: "'v' || i % 77 || chr(0)",
    long: "repeat('x', 249) || i",
    longer: "CASE WHEN i < 5000 THEN repeat('x', 300) ELSE 'z' || i END",
    accents: "repeat('é', 125) || chr((i % 100 + 200)::INTEGER)",
    uuid: "md5(i::VARCHAR)::UUID",
    late: "CASE WHEN i < 4096 THEN NULL ELSE i END",
    none: "NULL::INTEGER",
    flag: "i % 2 = 0",
    float: "CASE WHEN i = 5 THEN 'nan'::DOUBLE ELSE i END",
    bytes: "('b' || i)::BLOB",
  };
  const list = Object.entries(columns).map(([name, value]) => `${value} AS ${name}`);
  const input = { kind: "sql", sql: `SELECT ${list.join(", ")} FROM range(10000) r(i)` } as const;
  const statistics = (await copyToParquet(session.database, input, path, { rowGroupRows: 2048 })).columns;
  const real = Object.keys(columns).map(
    (name) => `[CAST(min(${name}) AS VARCHAR), CAST(max(${name}) AS VARCHAR)] AS ${name}`,
  );
  const [bounds] = await session.connection.rows<Record<string, readonly (string | null)[]>>(
    `SELECT ${real.join(", ")} FROM '${path}'`,
  );
  const unknown: string[] = [];
  for (const name of Object.keys(columns)) {
    const { min, max } = statistics[name]!;
    const [least, most] = bounds![name]!;
    if (min === null || max === null) unknown.push(name);
    expect({ name, min: min ?? least!, max: max ?? most! }).toEqual({ name, min: least!, max: most! });
  }
  expect(unknown).toEqual(["long", "longer", "late", "none", "flag", "float", "bytes"]);
  expect(statistics).toMatchObject({ late: { nulls: 4096 }, none: { nulls: 10_000 }, longer: { nulls: 0 } });
});

for (const [columns, largeRowGroups, rows] of [
  [20, true, [122_880, 7120]],
  [20, false, [61_440, 61_440, 7120]],
  [21, true, [61_440, 61_440, 7120]],
] as const) {
  test(`copyToParquet() writes row groups of ${rows[0]} rows for ${columns} columns, large: ${largeRowGroups}`, async () => {
    await using session = await open();
    await using directory = await temporaryDirectory();
    const path = `${directory.path}/x.parquet`;
    const list = Array.from({ length: columns }, (_, at) => `i + ${at} AS c${at}`).join(", ");
    const sql = `SELECT ${list} FROM range(130000) r(i)`;
    await copyToParquet(session.database, { kind: "sql", sql }, path, { ordered: true, largeRowGroups });
    const groups = await session.connection.rows<{ rows: bigint }>(
      `SELECT DISTINCT ON (row_group_id) row_group_num_rows AS rows FROM parquet_metadata('${path}') ORDER BY row_group_id`,
    );
    expect(groups.map((group) => Number(group.rows))).toEqual([...rows]);
  });
}

test("copyToParquet() returns the files of partitions with the statistics of their columns", async () => {
  await using session = await open();
  await using directory = await temporaryDirectory();
  const sql = "SELECT i, CASE WHEN i % 2 = 0 THEN '50 %/a=b' ELSE 'odd' END AS p FROM range(10) r(i)";
  const input = { kind: "sql", sql } as const;
  const copy = (folder: string, statistics: readonly string[]) =>
    copyToParquet(session.database, input, `${directory.path}/${folder}`, { partitionBy: "p", statistics });
  const { rows, files } = await copy("selected", ["i"]);
  expect(rows).toBe(10);
  expect(files.map(({ partition, columns }) => ({ partition, ...columns["i"] }))).toEqual(
    expect.arrayContaining([
      { partition: "50 %/a=b", min: "0", max: "8", nulls: 0 },
      { partition: "odd", min: "1", max: "9", nulls: 0 },
    ]),
  );
  const untold = await copy("untold", []);
  expect(untold.rows).toBe(10);
  expect(untold.files.map(({ partition, columns }) => ({ partition, columns }))).toEqual(
    expect.arrayContaining([
      { partition: "50 %/a=b", columns: {} },
      { partition: "odd", columns: {} },
    ]),
  );
});
