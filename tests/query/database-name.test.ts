import { expect, test } from "bun:test";

import { rebuildAnalytics } from "../../lib/analytics/rebuild.ts";
import { openQuerySession } from "../../lib/query/mod.ts";
import { temporaryData, writeExtract } from "../analytics/extract-files.ts";
import { published, rowsOf, testServices } from "./published.ts";

test("every expression for the name of the database returns `agnes`", async () => {
  await using shop = await published();
  const sql = `SELECT current_catalog AS a, "CURRENT_CATALOG" AS b, current_database() AS c, Current_Catalog() AS d`;
  const all = { a: "agnes", b: "agnes", c: "agnes", d: "agnes" };
  expect(await rowsOf(shop.session, sql)).toEqual([all]);
  expect(await rowsOf(shop.session, `${sql} FROM customers LIMIT 1`)).toEqual([all]);
  const inside = "SELECT count(*)::INT AS n FROM customers WHERE current_catalog = 'agnes'";
  expect(await rowsOf(shop.session, inside)).toEqual([{ n: 7 }]);
  const column = "SELECT current_catalog FROM (SELECT 5 AS current_catalog)";
  expect(await rowsOf(shop.session, column)).toEqual([{ current_catalog: 5 }]);
});

test.each([
  "pg_catalog.current_database()",
  "main.current_database()",
  "system.main.current_database()",
  "pg_catalog.current_catalog()",
])("%s, which would return an internal database name, is rejected", async (call) => {
  await using shop = await published();
  const failing = rowsOf(shop.session, `SELECT ${call}`);
  expect(failing).rejects.toMatchObject({ code: "sql_not_allowed" });
  await failing.catch(() => {});
});

test("a view of an extract of another program gets the public name as well", async () => {
  await using folder = await temporaryData();
  const { data } = folder;
  await writeExtract(data, "own", {
    tables: [{ name: "v", object: "VIEW v AS SELECT current_catalog AS name" }],
  });
  await rebuildAnalytics(testServices(), { dataDirectory: data, owners: null });
  await using session = openQuerySession(testServices(), { dataDirectory: data });
  expect(await rowsOf(session, "FROM v")).toEqual([{ name: "agnes" }]);
  const sample = await session.sampleTable("v", 1);
  for await (const batch of sample.batches) expect(batch.get(0)!.toJSON()).toEqual({ name: "agnes" });
});
