import { expect, test } from "bun:test";
import { createAgnes } from "agnes";

import duckdb from "../../plugins/duckdb/plugin.ts";
import { makeWarehouse } from "./support.ts";

test("tables whose names have spaces and accents are registered, synced and queried", async () => {
  await using warehouse = await makeWarehouse(`
    CREATE TABLE "Order Details" AS SELECT 1 AS "Unit Price";
    CREATE SCHEMA "Můj sklad";
    CREATE TABLE "Můj sklad"."Objednávky 2024" AS SELECT 2 AS id;`);
  await using agnes = await createAgnes({
    workspace: warehouse.directory,
    plugins: [duckdb],
    config: {
      version: 1,
      sources: { wh: { plugin: "duckdb", register: "all", options: { path: "warehouse.duckdb" } } },
    },
  });
  const { status } = await agnes.sync();
  expect(status).toBe("complete");
  expect((await agnes.catalog()).map(({ name }) => name)).toEqual(["objednavky_2024", "order_details"]);
  expect(await (await agnes.tables()).find("objednavky_2024")).toMatchObject({
    source_table: "Můj sklad.Objednávky 2024",
    bucket: "Můj sklad",
  });
  expect(await agnes.rows('SELECT "Unit Price" AS price, id FROM order_details, objednavky_2024')).toEqual([
    { price: 1, id: 2 },
  ]);
});
