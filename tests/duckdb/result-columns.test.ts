import { expect, test } from "bun:test";

import { openDatabase, type Connection } from "../../lib/duckdb/mod.ts";

async function columnsOf(connection: Connection, sql: string): Promise<readonly string[]> {
  const { schema, batches } = await connection.stream(sql);
  const names: string[] = [];
  for await (const batch of batches)
    names.push(...batch.schema.fields.map(({ name, type }) => `${name} ${type}`));
  expect(schema.fields.map(({ name, type }) => `${name} ${type}`)).toEqual(names);
  return names;
}

const OTHERS = [
  "SELECT 1::DECIMAL(9, 4) AS n",
  "SELECT [1.5] AS n",
  "SELECT true AS n",
  "SELECT 1 AS m",
  "SELECT 1 AS a, 2 AS b",
  'SELECT 1 AS "a4 b"',
];

test.each([
  ["SELECT 1::BIGINT AS n", ["n Int64"]],
  ["SELECT 1::INTEGER AS n", ["n Int32"]],
  ["SELECT 'a' AS n", ["n Utf8"]],
  ["SELECT 1::DECIMAL(9, 2) AS n", ["n Decimal[9e+2]"]],
  ["SELECT 1::DECIMAL(9, 3) AS n", ["n Decimal[9e+3]"]],
  ["SELECT [1] AS n", ["n List<Int32>"]],
  ["SELECT ['a'] AS n", ["n List<Utf8>"]],
  ["SELECT 'a'::ENUM('a') AS n", ["n Utf8"]],
  ["SELECT 1 AS a, 2 AS b", ["a Int32", "b Int32"]],
  ['SELECT 1 AS "a4 b"', ["a4 b Int32"]],
])("%s has its own columns after all other results", async (sql, expected) => {
  await using database = await openDatabase();
  await using connection = await database.connect();
  for (const other of OTHERS) await columnsOf(connection, other);
  expect(await columnsOf(connection, sql)).toEqual(expected);
  expect(await columnsOf(connection, sql)).toEqual(expected);
});
