import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";

import { arrow, isQueryArray } from "agnes/kit";

import {
  bq,
  failure,
  jobs,
  openHybridShop,
  PAGES,
  rows,
  sharedHybridShop,
  wh,
  SPY,
  type Call,
  type HybridShop,
} from "./hybrid-shop.ts";

setDefaultTimeout(60_000);

const shared = sharedHybridShop();

const BY_KEYS = `SELECT * FROM ${PAGES} WHERE id IN UNNEST(@keys)`;

describe("keys of register", () => {
  test("the distinct values without NULL are one array, in their order, and the source returns only their rows", async () => {
    await using shop = await shared.open();
    const p = bq(BY_KEYS, { keys: "SELECT page FROM orders WHERE kind = 1; -- the pages" });
    const sql =
      "SELECT count(*)::INT AS n, count(DISTINCT p.id)::INT AS ids FROM orders o JOIN p ON p.id = o.page";
    const result = await shop.agnes.query(sql, { register: { p } });
    const [batch] = await Array.fromAsync(result.batches);
    expect(batch!.toArray().map((row) => row!.toJSON())).toEqual([{ n: 32, ids: 9 }]);
    const [job] = jobs(shop);
    expect(job!.queryParameters).toEqual([
      {
        name: "keys",
        parameterType: { type: "ARRAY", arrayType: { type: "INT64" } },
        parameterValue: {
          arrayValues: ["0", "1", "2", "4", "5", "6", "7", "8", "9"].map((value) => ({ value })),
        },
      },
    ]);
    expect(job!.query).toBe(BY_KEYS);
    expect(result.receipt().registered).toMatchObject([{ alias: "p", keys: 9, rows: 9, ran: true }]);
  });

  test("without a value the source runs nothing, and the alias has its columns and no rows", async () => {
    await using shop = await shared.open();
    const register = {
      p: bq(BY_KEYS, { keys: "SELECT page FROM orders WHERE page IS NULL" }),
      t: wh("SELECT * FROM wh.pages WHERE id IN (SELECT unnest($keys))", {
        keys: "SELECT id FROM orders WHERE false",
      }),
    };
    const types = "SELECT typeof(p.views) AS views, typeof(t.price) AS price";
    expect(
      await rows(shop, `${types} FROM (SELECT 1) LEFT JOIN p ON true LEFT JOIN t ON true`, register),
    ).toEqual([{ views: "BIGINT", price: "DECIMAL(29,2)" }]);
    expect(await rows(shop, "SELECT count(*)::INT AS n FROM p, t", register)).toEqual([{ n: 0 }]);
    expect(jobs(shop)).toEqual([]);
  });

  test("without a value, a source that does not state the columns is an error", async () => {
    const calls: Call[] = [];
    await using shop = await shared.openWithSpy(calls);
    const error = await failure(shop, "SELECT * FROM p", {
      p: { ...SPY, sql: "$keys", keys: "SELECT 1 WHERE false" },
    });
    expect(error).toMatchObject({
      code: "alias_refused",
      hint: expect.stringContaining("Select at least one key"),
    });
    expect(calls).toEqual([]);
  });

  test("10,000 keys are passed, and more are an error before any query runs", async () => {
    await using shop = await shared.open();
    const read = (count: number) => ({
      p: bq(BY_KEYS, { keys: `SELECT range FROM range(${count})` }),
      q: bq("SELECT 1 AS a"),
    });
    expect(await rows(shop, "SELECT count(*)::INT AS n FROM p, q", read(10_000))).toEqual([{ n: 20 }]);
    const before = jobs(shop).length;
    expect(await failure(shop, "SELECT count(*) FROM p, q", read(10_001))).toMatchObject({
      code: "alias_limit_exceeded",
      message: 'the alias "p" of source bq has more keys than its limit of 10,000',
      details: { alias: "p", limit: "keys", max: 10_000 },
    });
    expect(jobs(shop)).toHaveLength(before);
  });

  test.each([
    ["TINYINT '-5'", [-5n], "k: Int8"],
    ["9007199254740993::HUGEINT", ["9007199254740993"], "k: Decimal[38e0]"],
    ["18446744073709551615::UBIGINT", [18_446_744_073_709_551_615n], "k: Uint64"],
    ["1.50::DECIMAL(5, 2)", ["1.50"], "k: Decimal[5e+2]"],
    ["'it''s'", ["it's"], "k: Utf8"],
    ["true", [true], "k: Bool"],
    ["DATE '2026-01-31'", ["2026-01-31"], "k: Date32<DAY>"],
    ["TIMESTAMP '2026-01-31 10:00:00.000001'", ["2026-01-31 10:00:00.000001"], "k: Timestamp<MICROSECOND>"],
    ["TIMESTAMP_S '2026-01-31 10:00:00'", ["2026-01-31 10:00:00"], "k: Timestamp<MICROSECOND>"],
    ["TIMESTAMPTZ '2026-01-31 10:00:00+02'", ["2026-01-31 08:00:00+00"], "k: Timestamp<MICROSECOND, UTC>"],
    ["unnest([0.25::FLOAT, 'inf'::FLOAT, NULL])", [0.25, Infinity], "k: Float64"],
    ["'018f9d3e-7c1a-7000-8000-000000000001'::UUID", ["018f9d3e-7c1a-7000-8000-000000000001"], "k: Utf8"],
  ])("the key %s is %p of the type %s", async (key, values, type) => {
    const calls: Call[] = [];
    await using shop = await shared.openWithSpy(calls);
    await rows(shop, "SELECT * FROM p", { p: { ...SPY, sql: "@keys", keys: `SELECT ${key} AS k` } });
    const { keys = null } = calls[0]!.options.parameters!;
    expect(isQueryArray(keys) && [keys.values, new arrow.Field("k", keys.type).toString()]).toEqual([
      values,
      type,
    ]);
  });

  test.each([
    ["SELECT 1, 2", "alias_refused", "its keys have 2 columns"],
    ["SELECT TIME '10:00'", "alias_refused", "a type that is no key"],
    ["SELECT [1]", "alias_refused", "a type that is no key"],
    ["SELECT INTERVAL 1 DAY", "alias_refused", "a type that is no key: INTERVAL"],
    ["SELECT TIMESTAMP_NS '2026-01-31 10:00:00'", "alias_refused", "a type that is no key"],
    ["SELECT unnest([1.0, 'nan'::DOUBLE])", "alias_refused", "its keys contain NaN"],
    ["SELECT nothing FROM orders", "sql_failed", "nothing"],
    ["SELECT FROM", "sql_malformed", "cannot be parsed"],
    ["SELECT id FROM p", "table_unknown", "p"],
    ["SELECT * FROM read_csv('x.csv')", "sql_not_allowed", "read_csv"],
    ["SELECT 1) AS a, (SELECT 2", "sql_malformed", "cannot be parsed"],
  ])("the keys %p are rejected, and the error names the alias", async (keys, code, message) => {
    await using shop = await shared.open();
    const error = await failure(shop, "SELECT * FROM p", { p: bq(BY_KEYS, { keys }) });
    expect(error).toMatchObject({ code, details: { alias: "p" } });
    expect(error.message).toContain('alias "p"');
    expect(error.message).toContain(message);
    expect(shop.server.inserted).toEqual([]);
  });

  test("SQL without the parameter is rejected, because it would read all rows", async () => {
    await using shop = await shared.open();
    const p = bq(`SELECT * FROM ${PAGES}`, { keys: "SELECT 1" });
    expect(await failure(shop, "SELECT * FROM p", { p })).toMatchObject({
      code: "alias_refused",
      message: expect.stringContaining("its SQL has no parameter `keys`"),
    });
  });
});

describe("register with access to some tables", () => {
  const access = new Set(["local.orders", "web_pages"]);
  const p = bq(`SELECT * FROM ${PAGES}`);
  const pages = { source: "bq", sourceTable: "pages", bucket: "web", name: "web_pages" };
  const register = async ({ agnes }: HybridShop, change: object = {}) =>
    (await agnes.tables()).register({ ...pages, queryMode: "remote", ...change });
  const registered = sharedHybridShop();
  beforeAll(async () => void (await register(await registered.open())));

  test("an alias may read tables that are registered and accessible", async () => {
    await using shop = await registered.open();
    const sql = "SELECT count(*)::INT AS n FROM orders JOIN p ON p.id = page";
    expect(await shop.agnes.rows(sql, { register: { p }, access })).toEqual([{ n: 35 }]);
    expect(
      await shop.agnes.rows(sql, { register: { p }, access: new Set(["ORDERS", "BQ.web_pages"]) }),
    ).toHaveLength(1);
    // A table that does not exist for the caller reserves no name.
    const hidden = await shop.agnes.rows("SELECT count(*)::INT AS n FROM secrets", {
      register: { secrets: p },
      access,
    });
    expect(hidden).toEqual([{ n: 20 }]);
  });

  test.each([
    ["columns", { columns: ["id"] }],
    ["another table", { sourceTable: "visits" }],
    ["another bucket", { bucket: "raw" }],
    ["another source", { source: "wh" }],
  ])("an alias may not read a table that is registered with %s", async (_what, change) => {
    await using shop = await openHybridShop();
    await register(shop, change);
    expect(await failure(shop, "SELECT * FROM p", { p }, { access })).toMatchObject({
      code: "alias_access_denied",
      status: 403,
      message: expect.stringContaining("tables are all registered and accessible as a whole"),
    });
    expect(jobs(shop)).toEqual([]);
  });

  test("an alias may not read a registered table without access, nor one that its SQL does not name", async () => {
    await using shop = await openHybridShop();
    await register(shop);
    expect(
      await failure(shop, "SELECT * FROM p", { p }, { access: new Set(["local.orders"]) }),
    ).toMatchObject({
      code: "alias_access_denied",
    });
    const base = { projectId: "shop-1", datasetId: "hidden", tableId: "salaries" };
    shop.server.script.dryRun = { referencedTables: [base] };
    const error = await failure(shop, "SELECT * FROM p", { p }, { access });
    expect(error.code).toBe("alias_access_denied");
    expect(JSON.stringify(error)).not.toContain("salaries");
  });

  test("an alias may not run if the source does not name all tables, or not the kind of the statement", async () => {
    await using shop = await registered.open();
    for (const alias of [wh("SELECT * FROM wh.pages"), bq("SELECT 'information_schema' AS a")])
      expect(await failure(shop, "SELECT * FROM p", { p: alias }, { access })).toMatchObject({
        code: "alias_access_denied",
      });
    expect(jobs(shop)).toEqual([]);
  });

  test("a rejection reveals nothing of tables without access", async () => {
    await using shop = await openHybridShop({ bigquery: { maxBytesPerQuery: 100 } });
    await register(shop);
    const messageOf = async (sql: string) => {
      const only = new Set(["local.orders"]);
      const error = await failure(shop, "SELECT * FROM p", { p: bq(sql) }, { access: only });
      expect(error).toMatchObject({ code: "alias_access_denied", details: { alias: "p" } });
      return JSON.stringify(error);
    };
    const message = await messageOf(`SELECT id FROM ${PAGES}`);
    for (const sql of [
      `SELECT nothing FROM ${PAGES}`,
      "SELECT id FROM `shop-1`.`web`.`nothing`",
      `SELECT 'information_schema' AS a FROM ${PAGES}`,
      `DELETE FROM ${PAGES} WHERE true`,
    ])
      expect(await messageOf(sql)).toBe(message);
    const granted = await failure(shop, "SELECT * FROM p", { p }, { access });
    expect(granted).toMatchObject({ code: "bigquery/scan_too_large" });
  });

  test("keys read accessible tables only", async () => {
    await using shop = await registered.open();
    const keyed = bq(BY_KEYS, { keys: "SELECT pin FROM secrets" });
    expect(await failure(shop, "SELECT * FROM p", { p: keyed }, { access })).toMatchObject({
      code: "table_unknown",
      details: { alias: "p", table: "secrets" },
    });
  });
});
