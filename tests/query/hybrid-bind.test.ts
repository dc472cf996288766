import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { bq, failure, jobs, PAGES, rows, sharedHybridShop, SPY, type Call } from "./hybrid-shop.ts";

setDefaultTimeout(60_000);

const shared = sharedHybridShop();

const register = { p: bq(`SELECT * FROM ${PAGES}`) };

describe("a statement over aliases", () => {
  test.each([
    ["SELECT nope FROM p", 'Referenced column "nope"'],
    ["SELECT p.id FROM p JOIN orders o ON o.nope = p.id", 'does not have a column named "nope"'],
    ["SELECT sum(id) FROM p GROUP BY DATE '2026-01-01' + 'x'::STRUCT(a INT)", "No function matches"],
    ["SELECT id FROM orders UNION ALL SELECT id, views FROM p", "same number of result columns"],
    ["SELECT id, count(*) FROM p", "must appear in the GROUP BY clause"],
  ])("that cannot be bound runs no query: %s", async (sql, message) => {
    await using shop = await shared.open();
    const error = await failure(shop, sql, register);
    expect(error).toMatchObject({ code: "sql_failed", message: expect.stringContaining(message) });
    expect(jobs(shop)).toEqual([]);
    expect(shop.server.inserted).toHaveLength(1);
  });

  test("that is only described runs no query, whose columns are known", async () => {
    await using shop = await shared.open();
    const described = [
      { column_name: "id", column_type: "BIGINT" },
      { column_name: "views", column_type: "BIGINT" },
    ];
    for (const sql of ["DESCRIBE p", "DESCRIBE SELECT * FROM p", "FROM (DESCRIBE SELECT * FROM p)"]) {
      const result = await shop.agnes.query(sql, { register });
      const found = await Array.fromAsync(result.batches, (batch) => batch.toArray());
      expect(found.flat().map((row) => (row as { toJSON(): unknown }).toJSON())).toMatchObject(described);
      expect(result.receipt().registered).toMatchObject([{ ran: false, rows: 0 }]);
    }
    expect(jobs(shop)).toEqual([]);
  });

  test("runs the queries whose rows it needs, beside a DESCRIBE too", async () => {
    await using shop = await shared.open();
    const q = bq(`SELECT \`id\` FROM ${PAGES}`);
    const sql = "SELECT count(*)::INT AS n FROM p, (DESCRIBE SELECT * FROM q)";
    expect(await rows(shop, sql, { ...register, q })).toEqual([{ n: 20 }]);
    expect(jobs(shop)).toHaveLength(1);
    expect(await rows(shop, "SELECT count(*)::INT AS n FROM p, (DESCRIBE p)", register)).toEqual([{ n: 40 }]);
    expect((await rows(shop, "SUMMARIZE p", register)).map(({ max }) => max)).toEqual(["19", "1900"]);
  });

  test("runs the query of a source that does not state the columns", async () => {
    const calls: Call[] = [];
    await using shop = await shared.openWithSpy(calls);
    expect(await rows(shop, "DESCRIBE p", { p: SPY })).toHaveLength(2);
    expect(await failure(shop, "SELECT nope FROM p", { p: SPY })).toMatchObject({ code: "sql_failed" });
    expect(calls).toHaveLength(2);
  });
});
