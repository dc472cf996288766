import { expect, test } from "bun:test";

import { storedExpression, storedType } from "../../lib/duckdb/mod.ts";
import { open } from "./support.ts";

test.each([
  ["INTEGER", "INTEGER"],
  ["DECIMAL(18,3)", "DECIMAL(18,3)"],
  ["TIMESTAMP WITH TIME ZONE", "TIMESTAMP WITH TIME ZONE"],
  ["TIMESTAMP_S", "TIMESTAMP"],
  ["TIMESTAMP_NS", "TIMESTAMP_NS"],
  ["HUGEINT", "DECIMAL(38,0)"],
  ["UHUGEINT", "VARCHAR"],
  ["TIME WITH TIME ZONE", "VARCHAR"],
  ["INTERVAL[]", "VARCHAR[]"],
  ["INTEGER[3][2]", "INTEGER[][]"],
  ["ENUM('a', 'b)''(c')", "VARCHAR"],
  ["GEOMETRY('OGC:CRS84')", "BLOB"],
  ["VARIANT", "VARCHAR"],
  ["UNION(a INTEGER, b VARCHAR)", "VARCHAR"],
  ["MAP(VARCHAR, HUGEINT)", "MAP(VARCHAR, DECIMAL(38,0))"],
  [
    'STRUCT(a BIT, "BIT" INTEGER, "x "", y" ENUM(\'(\'))',
    'STRUCT("a" VARCHAR, "BIT" INTEGER, "x "", y" VARCHAR)',
  ],
  ["?", "?"],
])("storedType() stores %s as %s", (type, expected) => {
  expect(storedType(type)).toBe(expected);
});

test("storedExpression() converts every DuckDB type to its storedType()", async () => {
  await using session = await open();
  const { connection } = session;
  await connection.run(
    `CREATE TABLE original AS SELECT * REPLACE (hugeint // 1000 AS hugeint), [geometry] AS geometries,
       MAP {'k': {'v': 1::VARIANT}} AS variants, {'u': "union", 'g': geometry} AS record FROM test_all_types()`,
  );
  const columns = await connection.describe("FROM original");
  const list = columns.map(({ name, type }) => `${storedExpression(`"${name}"`, type)} AS "${name}"`);
  await connection.run(`CREATE TABLE stored AS SELECT ${list.join(", ")} FROM original`);
  const found = await connection.describe("FROM stored");
  expect(found).toEqual(columns.map(({ name, type }) => ({ name, type: storedType(type) })));
  const special = new Set(["geometry", "geometries", "variants", "record", "union"]);
  for (const { name } of columns) {
    if (special.has(name)) continue;
    const rows = (table: string) => connection.rows(`SELECT "${name}"::VARCHAR AS v FROM ${table}`);
    expect({ name, rows: await rows("stored") }).toEqual({ name, rows: await rows("original") });
  }
  expect(
    await connection.rows(
      `SELECT "union" AS u, variants::VARCHAR AS v, record.u AS r, ST_GeomFromWKB(record.g)::VARCHAR = ST_GeomFromWKB(geometries[1])::VARCHAR AS g
       FROM stored ORDER BY u NULLS LAST`,
    ),
  ).toEqual([
    { u: '{"age":"5"}', v: "{k={'v': 1}}", r: '{"age":"5"}', g: true },
    { u: '{"name":"Frank"}', v: "{k={'v': 1}}", r: '{"name":"Frank"}', g: true },
    { u: null, v: "{k={'v': 1}}", r: null, g: null },
  ]);
});
