import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";

import type { RegisteredQuery } from "agnes";
import { int64, toSchema } from "agnes/kit";

import {
  bq,
  failure,
  jobIds,
  jobs,
  openHybridShop,
  PAGES,
  rows,
  sharedHybridShop,
  SPY,
  wh,
  withSpy,
  type Call,
} from "./hybrid-shop.ts";

setDefaultTimeout(60_000);

const shared = sharedHybridShop();

describe("query() with register", () => {
  test("has parameters in its own SQL", async () => {
    await using shop = await shared.open();
    const register = { titles: wh("SELECT id, title FROM wh.pages WHERE id % 2 = 1") };
    const sql = "SELECT title, $mark AS mark FROM titles WHERE title = $title";
    expect(await shop.agnes.rows(sql, { register, params: { title: "p3", mark: "it's" } })).toEqual([
      { title: "p3", mark: "it's" },
    ]);
  });

  test("joins local tables with queries of two sources, and states what ran", async () => {
    await using shop = await shared.open();
    const register = {
      Traffic: bq(`SELECT * FROM ${PAGES} WHERE id < 5`),
      titles: wh("SELECT id, title, price FROM wh.pages WHERE id % 2 = 1"),
    };
    const sql =
      "SELECT DISTINCT t.id, views, title, price::VARCHAR AS price FROM orders o JOIN traffic t ON t.id = o.page JOIN main.TITLES ON titles.id = t.id ORDER BY ALL";
    const result = await shop.agnes.query(sql, { register });
    const found: unknown[] = [];
    for await (const batch of result.batches) for (const row of batch) found.push(row.toJSON());
    expect(found).toEqual([
      { id: 1n, views: 100n, title: "p1", price: "1.50" },
      { id: 3n, views: 300n, title: "p3", price: "4.50" },
    ]);
    const { registered, tables } = result.receipt();
    expect(tables).toEqual(["local.orders"]);
    expect(registered).toMatchObject([
      {
        alias: "Traffic",
        source: "bq",
        ran: true,
        keys: null,
        rows: 5,
        sizeBytes: 80,
        estimate: { scannedBytes: 320 },
        jobs: [
          {
            id: jobIds(shop)[0],
            status: "done",
            processedBytes: 320,
            billedBytes: 10 * 1024 ** 2,
            isCached: false,
            slotMs: 12,
          },
        ],
      },
      { alias: "titles", source: "wh", ran: true, keys: null, rows: 15, estimate: {} },
    ]);
    expect(registered[1]).not.toHaveProperty("jobs");
    for (const { elapsedMs } of registered) expect(elapsedMs).toBeWithin(0, 60_000);
  });

  test("reads aliases in all statements, with and without local tables", async () => {
    await using shop = await shared.open();
    const register = { p: bq(`SELECT * FROM ${PAGES}`) };
    const counted = async (sql: string) => (await rows(shop, sql, register)).length;
    expect(await counted("SELECT * FROM p")).toBe(20);
    expect(await counted("WITH w AS (FROM p) SELECT * FROM w UNION ALL SELECT * FROM w;")).toBe(40);
    expect(await counted("PIVOT p ON id % 2 USING sum(views)")).toBe(1);
    expect(await counted("DESCRIBE p")).toBe(2);
    expect(await counted("SUMMARIZE p")).toBe(2);
    expect(await counted("SELECT * FROM local.orders WHERE page IN (SELECT id FROM p)")).toBe(35);
    expect(await shop.agnes.rows("SELECT count(*)::INT AS n FROM p", { register, trusted: true })).toEqual([
      { n: 20 },
    ]);
    expect(await failure(shop, "SELECT * FROM x.p, p", register)).toMatchObject({ code: "table_unknown" });
  });

  test("joins live tables", async () => {
    await using shop = await openHybridShop();
    const tables = await shop.agnes.tables();
    await tables.register({ source: "wh", sourceTable: "pages", name: "live", queryMode: "remote" });
    await shop.agnes.sync({ only: ["wh"] });
    const sql =
      "SELECT count(*)::INT AS n, min(title) AS title FROM live JOIN p USING (id) JOIN orders o ON o.page = p.id";
    expect(await rows(shop, sql, { p: bq(`SELECT \`id\` FROM ${PAGES} WHERE id > 7`) })).toEqual([
      { n: 8, title: "p8" },
    ]);
  });

  test("estimates all queries before any of them runs, and then runs all at once", async () => {
    const events: string[] = [];
    const all = { estimated: 0, started: 0, reading: 0 };
    const together = async (phase: "started" | "reading") => {
      all[phase] += 1;
      while (all[phase] < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    await using shop = await withSpy([], {
      async estimate() {
        all.estimated += 1;
        await new Promise((resolve) => setTimeout(resolve, 30 * all.estimated));
        events.push("estimate");
        return {};
      },
      async query() {
        events.push("query");
        await together("started");
        return {
          schema: toSchema({ id: int64() }),
          batches: (async function* () {
            await together("reading");
            yield [{ id: 1 }];
          })(),
        };
      },
    });
    const found = await rows(shop, "SELECT p.id FROM p JOIN q USING (id) JOIN r USING (id)", {
      p: SPY,
      q: SPY,
      r: SPY,
    });
    expect(found).toEqual([{ id: 1 }]);
    expect(events).toEqual(["estimate", "estimate", "estimate", "query", "query", "query"]);
  });

  test("EXPLAIN estimates the queries and runs none", async () => {
    const calls: Call[] = [];
    await using shop = await shared.openWithSpy(calls);
    const register = { p: bq(`SELECT * FROM ${PAGES}`) };
    const result = await shop.agnes.query("EXPLAIN SELECT * FROM p JOIN orders ON page = p.id", { register });
    const plan = JSON.stringify(
      await Array.fromAsync(result.batches, (batch) => batch.toArray().map(String)),
    );
    expect(plan).toContain("HASH_JOIN");
    expect(result.receipt().registered).toMatchObject([
      { ran: false, rows: 0, estimate: { scannedBytes: 320 } },
    ]);
    expect(jobs(shop)).toEqual([]);
    const error = await failure(shop, "EXPLAIN SELECT * FROM p", { p: SPY });
    expect(error).toMatchObject({
      code: "alias_refused",
      hint: expect.stringContaining("do not use EXPLAIN"),
    });
    expect(calls).toEqual([]);
  });

  test("passes only the limits that its caller sets, and never a number of rows", async () => {
    const calls: Call[] = [];
    await using shop = await shared.openWithSpy(calls);
    const read = async (limits: RegisteredQuery["limits"]) =>
      rows(shop, "SELECT * FROM p ORDER BY id", { p: { ...SPY, ...(limits && { limits }) } });
    expect(await read(undefined)).toEqual([
      { id: 1, name: "n1" },
      { id: 2, name: "n2" },
    ]);
    await read({ maxRows: 2, maxBytes: 1000, maxScannedBytes: 77, timeoutMs: 9000 });
    expect(calls.map(({ sql, options }) => [sql, options.limits, options.parameters])).toEqual([
      ["rows", {}, {}],
      ["rows", { maxScannedBytes: 77 }, {}],
    ]);
  });
});

describe("aliases of register", () => {
  const withPending = sharedHybridShop();
  beforeAll(async () => {
    const tables = await (await withPending.open()).agnes.tables();
    await tables.register({ source: "wh", sourceTable: "pages", name: "pending" });
  });

  test.each([
    ["orders", "SELECT * FROM orders", "alias_refused", "it is the name of a table"],
    ["ORDERS", "SELECT * FROM orders", "alias_refused", "it is the name of a table"],
    ["pending", "SELECT * FROM pending", "alias_refused", "it is the name of a table"],
    ["w", "WITH W AS (SELECT 1) SELECT * FROM w, local.orders", "alias_refused", "a common table expression"],
    ["w", "SELECT * FROM w, (WITH w AS (SELECT 1) FROM w)", "alias_refused", "a common table expression"],
    ["p", "SELECT 1", "alias_refused", "the SQL does not read it"],
    ["p", "SELECT p.id FROM orders p", "alias_refused", "the SQL does not read it"],
    ["1p", "SELECT * FROM p", "invalid_identifier", "1p"],
    ["p q", "SELECT * FROM p", "invalid_identifier", "p q"],
    ['p"; --', "SELECT * FROM p", "invalid_identifier", "the alias"],
    ["", "SELECT * FROM p", "invalid_identifier", "the alias"],
  ])("the alias %p for %p is rejected", async (alias, sql, code, message) => {
    await using shop = await withPending.open();
    const error = await failure(shop, sql, { [alias]: bq(`SELECT \`id\` FROM ${PAGES}`) });
    expect(error).toMatchObject({ code, exitCode: 2 });
    expect(error.message).toContain(message);
    expect(shop.server.inserted).toEqual([]);
  });

  test("more than 20 aliases are rejected, because all run at once", async () => {
    await using shop = await shared.open();
    const read = (count: number) => {
      const names = Array.from({ length: count }, (_, at) => `p${at}`);
      const register = Object.fromEntries(
        names.map((name) => [name, wh("SELECT i AS id FROM range(50000) t(i)")]),
      );
      return {
        sql: `SELECT count(*)::INT AS n FROM p0 JOIN ${names.slice(1).join(" USING (id) JOIN ")} USING (id)`,
        register,
      };
    };
    const { sql, register } = read(20);
    expect(await rows(shop, sql, register)).toEqual([{ n: 50_000 }]);
    const many = read(21);
    expect(await failure(shop, many.sql, many.register)).toMatchObject({
      code: "invalid_input",
      message: expect.stringContaining("it has 21 aliases, more than 20"),
    });
  });

  test("two aliases that differ only in case are rejected", async () => {
    await using shop = await shared.open();
    const error = await failure(shop, "SELECT * FROM p", { p: bq("SELECT 1 AS a"), P: bq("SELECT 2 AS a") });
    expect(error.message).toContain(
      'the alias "P" is not allowed: it differs from the alias "p" only in case',
    );
  });

  test("a source that is unknown or runs no SQL is an error that names the alias", async () => {
    await using shop = await shared.open();
    const read = (source: string) =>
      failure(shop, "SELECT * FROM p", { p: { source, sql: "SELECT 1 AS a" } });
    expect(await read("mute")).toMatchObject({
      code: "capability_missing",
      message: expect.stringMatching(/^alias "p" of source mute: source mute cannot query/),
      hint: "Run `agnes connector show mute` to see its capabilities.",
      details: { alias: "p" },
    });
    expect(await read("shop")).toMatchObject({
      code: "source_unknown",
      message: expect.stringMatching(/^alias "p" of source shop: there is no source "shop"/),
    });
  });

  test.each([
    [{ sql: " " }, "sql of the alias p"],
    [{ sql: 5 }, "sql of the alias p"],
    [{ source: undefined }, "source of the alias p"],
    [{ keys: "" }, "keys of the alias p"],
    [{ limits: { maxRows: -1 } }, "maxRows of the alias p"],
    [{ limits: { maxBytes: Number.NaN } }, "maxBytes of the alias p"],
    [{ limits: { timeoutMs: "5" } }, "timeoutMs of the alias p"],
  ])("%p is invalid input", async (more, what) => {
    await using shop = await shared.open();
    const error = await failure(shop, "SELECT * FROM p", {
      p: { ...bq("SELECT 1 AS a"), ...more } as RegisteredQuery,
    });
    expect(error).toMatchObject({ code: "invalid_input", details: { what } });
  });

  test("two columns of one name are rejected before the query runs, if the source states them", async () => {
    const calls: Call[] = [];
    const schema = toSchema({ id: int64(), Id: int64() });
    await using shop = await withSpy(calls, { estimate: async () => ({ schema }) });
    expect(await failure(shop, "SELECT * FROM p", { p: SPY })).toMatchObject({ code: "alias_refused" });
    expect(calls).toEqual([]);
  });

  test("columns without a name, and two of one name, are errors that name the alias", async () => {
    await using shop = await withSpy([], {
      query: async () => ({
        schema: toSchema({ id: int64(), ID: int64() }),
        batches: (async function* () {})(),
      }),
    });
    expect(await failure(shop, "SELECT * FROM p", { p: SPY })).toMatchObject({
      code: "alias_refused",
      message: expect.stringContaining('its SQL has two columns "ID"'),
    });
  });
});
