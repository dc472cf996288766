import { expect, test } from "bun:test";

import { describeQuery, openStream, quoteIdentifier } from "../../lib/duckdb/mod.ts";
import { collect, open, rejection, sourceOf } from "./support.ts";

/** The expected text of a column after the round trip: WKB for geometries, JSON for unions. */
const asText = (column: string) =>
  column === "geometry"
    ? "ST_AsWKB(geometry)::VARCHAR"
    : column === "union"
      ? `to_json("union")::VARCHAR`
      : `${quoteIdentifier(column)}::VARCHAR`;

test("Connection.stream() and openStream() preserve the values of every DuckDB type", async () => {
  await using session = await open();
  const { database, connection } = session;
  await connection.run(
    "CREATE TABLE original AS SELECT row_number() OVER () AS row, * REPLACE (hugeint // 1000 AS hugeint) FROM test_all_types()",
  );
  const { schema, batches, names } = await connection.stream("FROM original");
  const all = await collect(batches);
  expect(names.length).toBeGreaterThan(50);
  expect(schema.fields.map((field) => field.name)).toEqual([...names]);
  const table = openStream(
    database,
    sourceOf(schema, async function* () {
      yield* all;
    }),
  );
  await connection.run(`CREATE TABLE copied AS SELECT * FROM ${table.relation}`);
  for (const name of names) {
    const rows = await connection.rows<{ before: string | null; after: string | null }>(
      `SELECT before, after FROM (SELECT row, ${asText(name)} AS before FROM original)
       JOIN (SELECT row, ${quoteIdentifier(name)}::VARCHAR AS after FROM copied) USING (row) ORDER BY row`,
    );
    expect(rows.length).toBe(3);
    for (const { before, after } of rows) expect({ name, value: after }).toEqual({ name, value: before });
  }
});

test("Connection.stream() keeps values of nested columns when rows are filtered, sorted and nulled", async () => {
  await using session = await open();
  const { database, connection } = session;
  const sql = `SELECT i, CASE WHEN i % 5 > 0 THEN [i, NULL, i * 2][: i % 4] END AS l,
      CASE WHEN i % 3 > 0 THEN {'a': 'the text of ' || i, 'b': [{'c': i}]} END AS s,
      MAP {'key ' || i: [i]} AS m, [i, i + 1]::BIGINT[2] AS a, i % 2 = 0 AS b, ['x', 'longer than twelve ' || i] AS t, ['the same', 'in every single row'] AS c
    FROM range(20000) r(i) WHERE i % 7 <> 0 ORDER BY hash(i)`;
  const { schema, batches } = await connection.stream(sql, { batchRows: 3000 });
  const all = await collect(batches);
  expect(all.map((batch) => batch.numRows).every((rows) => rows <= 5048)).toBe(true);
  const table = openStream(
    database,
    sourceOf(schema, async function* () {
      yield* all;
    }),
  );
  const [row] = await connection.rows<{ differing: bigint; total: bigint }>(
    `SELECT count(*) FILTER (x IS DISTINCT FROM y) AS differing, count(*) AS total FROM
      (SELECT i, original::VARCHAR AS x FROM (${sql}) original) JOIN
      (SELECT i, copied::VARCHAR AS y FROM ${table.relation} copied) USING (i)`,
  );
  expect(row).toEqual({ differing: 0n, total: 17142n });
});

test("Connection.stream() returns short and long texts of which the last ends where their memory does", async () => {
  await using session = await open();
  // Two rows have memory for 32 bytes, and a short text is copied in steps of four.
  for (const length of [1, 2, 3, 4, 5, 7, 8, 9, 11, 12]) {
    const texts = ["x".repeat(32 - length), "y".repeat(length)];
    const values = texts.map((text) => `('${text}')`).join(", ");
    const { batches } = await session.connection.stream(`SELECT * FROM (VALUES ${values}) t(text)`);
    const [batch] = await collect(batches);
    expect([...batch!.getChildAt(0)!]).toEqual(texts);
  }
});

test("Connection.stream() returns the schema and no batch when there are no rows", async () => {
  await using session = await open();
  const { schema, batches } = await session.connection.stream("SELECT 1 AS a, 'x' AS b WHERE false");
  expect(String(schema)).toBe("Schema<{ 0: a: Int32, 1: b: Utf8 }>");
  expect(await collect(batches)).toEqual([]);
});

test("Connection.stream() uses bounded memory for long results", async () => {
  await using session = await open({ limits: { memoryMb: 64 } });
  const { batches } = await session.connection.stream(
    "SELECT i, 'row number ' || i FROM range(3000000) r(i)",
  );
  let rows = 0;
  for await (const batch of batches) rows += batch.numRows;
  expect(rows).toBe(3_000_000);
});

test("Connection.stream() frees the connection when the loop is left", async () => {
  await using session = await open();
  const { batches } = await session.connection.stream("SELECT * FROM range(100000000)");
  expect((await rejection(session.connection.run("SELECT 1"))).code).toBe("duckdb_busy");
  for await (const _batch of batches) break;
  expect(await session.connection.rows("SELECT 1 AS one")).toEqual([{ one: 1 }]);
});

test("Connection.stream() fails in the loop when a later row cannot be computed", async () => {
  await using session = await open();
  const { batches } = await session.connection.stream(
    "SELECT CASE WHEN i < 900000 THEN 1 ELSE error('no such value') END FROM range(1000000) r(i)",
    { batchRows: 2048 },
  );
  const error = await rejection(collect(batches));
  expect(error.code).toBe("duckdb_failed");
  expect(error.message).toContain("no such value");
  expect(await session.connection.rows("SELECT 1 AS one")).toEqual([{ one: 1 }]);
});

test("describeQuery() returns the Arrow schema without running the query", async () => {
  await using session = await open();
  const schema = await describeQuery(
    session.connection,
    "SELECT 1.5 AS d, error('must not run') AS e, [1] AS l -- end",
  );
  expect(String(schema)).toBe("Schema<{ 0: d: Decimal[2e+1], 1: e: Int32, 2: l: List<Int32> }>");
  expect(await session.connection.rows("SELECT 1 AS one")).toEqual([{ one: 1 }]);
});
