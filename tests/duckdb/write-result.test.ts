import { readFile } from "node:fs/promises";

import { expect, test } from "bun:test";
import * as arrow from "apache-arrow";

import { encodeResult, writeResult } from "../../lib/duckdb/mod.ts";
import { resultFormats, type ResultFormat } from "../../lib/duckdb/result/write-result.ts";
import { readTable } from "./files/support.ts";
import { open, rejection, temporaryDirectory } from "./support.ts";

async function encoded(sql: string, format: ResultFormat): Promise<Buffer> {
  await using session = await open();
  const pieces: Uint8Array[] = [];
  for await (const bytes of encodeResult(await session.connection.stream(sql), format)) pieces.push(bytes);
  return Buffer.concat(pieces);
}

const ndjson = async (columns: string): Promise<string> =>
  (await encoded(`SELECT ${columns}`, "ndjson")).toString();

test.each([
  ["true AS v, NULL AS n", '{"v":true,"n":null}'],
  ["9007199254740991 AS a, -9007199254740991 AS b", '{"a":9007199254740991,"b":-9007199254740991}'],
  ["9007199254740993 AS v", '{"v":"9007199254740993"}'],
  ["18446744073709551615::UBIGINT AS v", '{"v":"18446744073709551615"}'],
  ["sum(i) AS v FROM range(4) r(i)", '{"v":6}'],
  ["12345678901234567890123::HUGEINT AS v", '{"v":"12345678901234567890123"}'],
  ["12.50::DECIMAL(9,2) AS a, -0.05::DECIMAL(18,2) AS b", '{"a":12.50,"b":-0.05}'],
  ["1234567890123456.78::DECIMAL(38,2) AS v", '{"v":"1234567890123456.78"}'],
  ["0.1::FLOAT AS a, 0.1::DOUBLE AS b, -2.5e300 AS c", '{"a":0.1,"b":0.1,"c":-2.5e+300}'],
  ["'NaN'::DOUBLE AS a, '-inf'::DOUBLE AS b", '{"a":"NaN","b":"-Infinity"}'],
  ["DATE '2026-01-31' AS a, DATE '1969-12-31' AS b", '{"a":"2026-01-31","b":"1969-12-31"}'],
  ["DATE '2000-02-29' AS a, DATE '12026-01-01' AS b", '{"a":"2000-02-29","b":"+012026-01-01"}'],
  [
    "DATE '5881580-07-10' AS a, DATE '5877642-06-25 (BC)' AS b",
    '{"a":"+5881580-07-10","b":"-5877641-06-25"}',
  ],
  ["'-0.0'::DOUBLE AS a, '-0.0'::FLOAT AS b, [ '-0.0'::FLOAT] AS c", '{"a":-0,"b":-0,"c":[-0]}'],
  ["union_value(a := 5) AS u, {'x': 1.50}::VARIANT AS v", '{"u":"{\\"a\\":5}","v":"{\\"x\\":1.50}"}'],
  ["'POINT(1 2)'::GEOMETRY AS g", '{"g":"AQEAAAAAAAAAAADwPwAAAAAAAABA"}'],
  ["'infinity'::DATE AS a, '-infinity'::TIMESTAMP AS b", '{"a":"infinity","b":"-infinity"}'],
  [
    "TIMESTAMP '2026-01-31 10:00:00' AS a, TIMESTAMP '1969-12-31 23:59:59.5' AS b",
    '{"a":"2026-01-31T10:00:00","b":"1969-12-31T23:59:59.500"}',
  ],
  ["TIMESTAMP '2026-01-31 10:00:00.000001' AS v", '{"v":"2026-01-31T10:00:00.000001"}'],
  ["'2026-01-31 10:00:00.123456789'::TIMESTAMP_NS AS v", '{"v":"2026-01-31T10:00:00.123456789"}'],
  ["TIMESTAMPTZ '2026-01-31 10:00:00+02' AS v", '{"v":"2026-01-31T08:00:00Z"}'],
  ["TIME '10:00:00.25' AS v", '{"v":"10:00:00.250"}'],
  ["INTERVAL 2 DAY AS a, 'b'::ENUM('a','b') AS b", '{"a":"2 days","b":"b"}'],
  ["'\\x00\\xFF'::BLOB AS v", '{"v":"AP8="}'],
  ["'say \"hi\"\\' || chr(10) || chr(1) || 'é😀' AS v", '{"v":"say \\"hi\\"\\\\\\n\\u0001é😀"}'],
  [
    "[1, NULL] AS a, {'x': 'y', 'z': [DATE '2026-01-31']} AS b",
    '{"a":[1,null],"b":{"x":"y","z":["2026-01-31"]}}',
  ],
  ["MAP {'k': 1} AS v", '{"v":[{"key":"k","value":1}]}'],
  ["[[], NULL]::INT[][] AS a, [1, 2]::INT[2] AS b", '{"a":[[],null],"b":[1,2]}'],
  ['1 AS a, 2 AS a, 3 AS "a_1"', '{"a":1,"a_2":2,"a_1":3}'],
])("encodeResult() writes SELECT %s as exact JSON", async (columns, expected) => {
  const text = await ndjson(columns);
  expect(text).toBe(`${expected}\n`);
  JSON.parse(text);
});

test("encodeResult() writes CSV that distinguishes a null from an empty text", async () => {
  const sql = `SELECT * FROM (VALUES (1, 'plain', DATE '2026-01-31', 9007199254740993, [1, 2], 1.50),
    (2, '', NULL, NULL, NULL, NULL), (3, 'a,"b"' || chr(13) || chr(10) || 'c', DATE '1970-01-01', 1, [], 0.00)) t("the ""id""", name, day, n, list, d) ORDER BY 1`;
  expect((await encoded(sql, "csv")).toString()).toBe(
    '"the ""id""",name,day,n,list,d\n1,plain,2026-01-31,9007199254740993,"[1,2]",1.50\n2,"",,,,\n3,"a,""b""\r\nc",1970-01-01,1,[],0.00\n',
  );
});

test.each([
  ["(VALUES ('a'), (NULL), ('b'), (NULL)) t(v)", 'v\na\n""\nb\n""\n', [["a"], [null], ["b"], [null]]],
  ["(VALUES (1), (NULL)) t(v)", 'v\n1\n""\n', [["1"], [null]]],
  ["(VALUES (NULL), (NULL)) t(v)", 'v\n""\n""\n', [[null], [null]]],
  ["(VALUES ([1]), (NULL)) t(v)", 'v\n[1]\n""\n', [["[1]"], [null]]],
])("encodeResult() writes CSV of one column that keeps its nulls: %s", async (from, csv, rows) => {
  const text = (await encoded(`SELECT v FROM ${from}`, "csv")).toString();
  expect(text).toBe(csv);
  expect((await readTable({ "t.csv": text })).rows).toEqual(rows);
});

const BIG = `SELECT i, 'text ' || i AS t, i / 7 AS f, CASE WHEN i % 3 > 0 THEN (i * 1.25)::DECIMAL(12, 2) END AS d,
  TIMESTAMP '2020-01-01' + INTERVAL (i * 1000001) MICROSECOND AS ts, i % 2 = 0 AS b FROM range(60000) r(i)`;

test.each(resultFormats)("writeResult() writes %s that DuckDB reads back unchanged", async (format) => {
  await using session = await open();
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/out.${format}`;
  await writeResult(await session.connection.stream(BIG), { format, path });
  if (format === "arrow") {
    const table = arrow.tableFromIPC(await readFile(path));
    expect(table.numRows).toBe(60_000);
    expect(table.get(59_999)!.toJSON()).toMatchObject({ i: 59_999n, t: "text 59999", b: false });
    return;
  }
  const reader = {
    json: `read_json('${path}', format = 'array')`,
    ndjson: `read_json('${path}', format = 'newline_delimited')`,
    csv: `read_csv('${path}')`,
    parquet: `read_parquet('${path}')`,
  }[format];
  const differing = await session.connection.rows(
    `SELECT count(*) AS n FROM (${BIG}) a FULL JOIN (SELECT * FROM ${reader}) b USING (i)
     WHERE (a.t, a.f, a.d, a.ts, a.b) IS DISTINCT FROM (b.t, b.f, b.d::DECIMAL(12, 2), b.ts::TIMESTAMP, b.b)`,
  );
  expect(differing).toEqual([{ n: 0n }]);
});

test.each(resultFormats)("writeResult() writes a result without rows as %s", async (format) => {
  await using session = await open();
  const pieces: Uint8Array[] = [];
  const write = async (bytes: Uint8Array) => void pieces.push(bytes);
  await writeResult(await session.connection.stream("SELECT 1 AS a, 'x' AS a WHERE false"), {
    format,
    write,
  });
  const bytes = Buffer.concat(pieces);
  if (format === "json") expect(JSON.parse(bytes.toString())).toEqual([]);
  if (format === "csv") expect(bytes.toString()).toBe("a,a\n");
  if (format === "ndjson") expect(bytes.length).toBe(0);
  if (format === "arrow") expect(arrow.tableFromIPC(bytes).schema.names).toEqual(["a", "a_1"]);
  if (format === "parquet") expect(bytes.subarray(0, 4).toString()).toBe("PAR1");
});

test.each([
  ["1 AS a, 'x' AS a", { a: 1, a_1: "x" }],
  ["'x' AS a, 1 AS a, [2] AS \"a_1\"", { a: "x", a_2: 1, a_1: "[2]" }],
  ['1 AS a, 2 AS "A"', { a: 1, A: 2 }],
] as const)("encodeResult() writes %s as Arrow with each name once", async (columns, expected) => {
  const table = arrow.tableFromIPC(await encoded(`SELECT ${columns}`, "arrow"));
  const row = Object.entries(table.get(0)!.toJSON()).map(([name, value]) => [
    name,
    typeof value === "object" ? String(value) : value,
  ]);
  expect(Object.fromEntries(row)).toEqual(expected);
});

test.each(["arrow", "parquet"] as const)(
  "writeResult() rejects a HUGEINT of 39 digits as %s",
  async (format) => {
    await using session = await open();
    await using directory = await temporaryDirectory();
    const path = `${directory.path}/out.${format}`;
    const result = await session.connection.stream(
      "SELECT 170141183460469231731687303715884105727::HUGEINT AS h",
    );
    const error = await rejection(writeResult(result, { format, path }));
    expect(error.code).toBe("batch_malformed");
    expect((error as { hint?: string }).hint).toContain("Cast the column to VARCHAR or DOUBLE");
    expect(error.message).toContain("170141183460469231731687303715884105727");
  },
);

test.each(["arrow", "parquet"] as const)(
  "writeResult() rejects the time 24:00:00 as %s, which readers read as 00:00:00",
  async (format) => {
    await using session = await open();
    await using directory = await temporaryDirectory();
    const path = `${directory.path}/out.${format}`;
    const write = async (sql: string) => writeResult(await session.connection.stream(sql), { format, path });
    const late = "TIME '24:00:00'";
    for (const value of [late, `[NULL, ${late}]`, `{'a': {'b': ${late}}}`, `MAP {'k': ${late}}`]) {
      const error = await rejection(write(`SELECT 1 AS id, ${value} AS v UNION ALL SELECT 2, NULL`));
      expect(error.code).toBe("batch_malformed");
      expect(error.message).toContain('column "v"');
      expect(error.message).toContain("24:00:00");
    }
    await write(`SELECT ['24:00:00'] AS v, TIME '23:59:59.999999' AS t, ${late}::VARCHAR AS s`);
  },
);

test("encodeResult() waits for its reader and stops the query when the reader leaves", async () => {
  await using session = await open({ limits: { memoryMb: 128 } });
  let pieces = 0;
  for await (const _bytes of encodeResult(
    await session.connection.stream("SELECT * FROM range(1000000000)"),
    "ndjson",
  )) {
    pieces += 1;
    if (pieces === 20) break;
  }
  expect(await session.connection.rows("SELECT 1 AS one")).toEqual([{ one: 1 }]);
});

test("writeResult() throws disk_full when the disk is full", async () => {
  await using session = await open();
  for (const format of ["csv", "parquet"] as const) {
    const result = await session.connection.stream("SELECT * FROM range(1000000)");
    expect((await rejection(writeResult(result, { format, path: "/dev/full" }))).code).toBe("disk_full");
  }
});
