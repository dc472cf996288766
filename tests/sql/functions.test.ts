import { afterAll, beforeAll, expect, test } from "bun:test";

import { isAllowedFunction, isAllowedTableFunction } from "../../lib/sql/mod.ts";
import { refusedFunctions } from "./refused-functions.ts";
import { openDatabase, type Connection, type Database } from "../../lib/duckdb/mod.ts";

let database: Database;
let connection: Connection;
beforeAll(async () => {
  database = await openDatabase();
  connection = await database.connect();
});
afterAll(() => database.close());

test("every function of DuckDB is either allowed or listed as rejected", async () => {
  const rows = await connection.rows<{ name: string; type: string }>(
    `SELECT DISTINCT function_name AS name, function_type AS type FROM duckdb_functions()
     WHERE function_type IN ('scalar', 'aggregate', 'macro') AND NOT starts_with(function_name, '__internal_')`,
  );
  const unclassified = rows.filter(
    ({ name }) => !isAllowedFunction(name) && !refusedFunctions.has(name.toLowerCase()),
  );
  expect(unclassified).toEqual([]);
  expect([...refusedFunctions].filter((name) => isAllowedFunction(name))).toEqual([]);
  expect(isAllowedFunction("__internal_compress_string_ubigint")).toBe(false);
  expect(rows.length).toBeGreaterThan(500);
});

test("isAllowedTableFunction() rejects functions that read files, settings or the catalog", async () => {
  const rows = await connection.rows<{ name: string }>(
    `SELECT DISTINCT function_name AS name FROM duckdb_functions() WHERE function_type IN ('table', 'table_macro', 'pragma')`,
  );
  expect(
    rows
      .map(({ name }) => name)
      .filter(isAllowedTableFunction)
      .sort(),
  ).toEqual(
    "generate_series icu_calendar_names json_each json_tree pg_timezone_names range repeat repeat_row unnest".split(
      " ",
    ),
  );
});
