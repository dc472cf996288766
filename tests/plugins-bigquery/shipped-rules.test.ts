import { describe, expect, setDefaultTimeout, test } from "bun:test";

import type { Agnes } from "agnes";

import { fakeBigQuery, type FakeBigQuery, type FakeScript, type FakeTable } from "../fakes/bigquery/mod.ts";
import { temporaryFolder } from "../sync/workspace.ts";
import { openShippedShop, resultOf, shippedTables } from "./shipped-shop.ts";
import { rejection } from "./support.ts";

setDefaultTimeout(60_000);

const MEBIBYTE = 1024 ** 2;
const GROUPED = "SELECT country, count(*) FROM r.sales GROUP BY country ORDER BY country";
const JOINED = "SELECT count(*) FROM r.sales s JOIN r.countries c ON s.country = c.code";

interface Shop extends AsyncDisposable {
  readonly server: FakeBigQuery;
  readonly agnes: Agnes;
}

async function openShop(
  setup: {
    readonly script?: Partial<FakeScript>;
    readonly options?: Readonly<Record<string, unknown>>;
    readonly tables?: readonly FakeTable[];
    readonly names?: readonly string[];
    readonly fetch?: (server: FakeBigQuery) => (url: string, init: RequestInit) => Promise<Response>;
  } = {},
): Promise<Shop> {
  const { script = {}, options = {}, tables = shippedTables(), names = ["sales", "countries"] } = setup;
  const server = fakeBigQuery({ tables, script: { polls: 0 } });
  const folder = temporaryFolder();
  const agnes = await openShippedShop(folder.path, {
    fetch: setup.fetch?.(server) ?? server.fetch,
    serviceAccount: server.signIn.serviceAccount,
    options: { project: server.project, ...options },
    tables: names,
  });
  (server.inserted as unknown[]).length = 0;
  Object.assign(server.script, script);
  return {
    server,
    agnes,
    async [Symbol.asyncDispose]() {
      await agnes.close();
      await server[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

const runs = ({ inserted }: FakeBigQuery) =>
  inserted.filter(({ configuration }) => configuration.dryRun !== true);
const withResource = (id: string, resource: Readonly<Record<string, unknown>>) =>
  shippedTables().map((table) => (table.id === id ? { ...table, resource } : table));
const modesOf = async (agnes: Agnes, sql: string) =>
  (await resultOf(agnes, sql)).receipt.remotes.map(({ accessMode }) => accessMode);

describe("bigquery: rules of whole queries", () => {
  test("one job reads the used columns, with the limit of bytes and labels, and the receipt has its SQL", async () => {
    await using shop = await openShop({ options: { maxBytesPerQuery: 50 * MEBIBYTE } });
    const { receipt, rows } = await resultOf(shop.agnes, GROUPED);
    const sql =
      "SELECT `t0`.`country` AS `c0`, COUNT(*) AS `c1` FROM (SELECT `country` FROM `shop-1`.`shop`.`sales`) AS `t0` GROUP BY `t0`.`country`";
    expect(runs(shop.server).map(({ configuration }) => configuration)).toMatchObject([
      {
        labels: { workload_type: "agnes" },
        query: { query: sql, maximumBytesBilled: String(50 * MEBIBYTE), useLegacySql: false },
      },
    ]);
    const jobs = [expect.objectContaining({ status: "done", billedBytes: 10 * MEBIBYTE, isCached: false })];
    expect(receipt.remotes).toEqual([
      { id: "r.sales", accessMode: "shipped", shipped: { sql, rows: rows.length }, jobs },
    ]);
  });

  test("conditions are also in the SELECT of the table, and the number of rows is limited", async () => {
    await using shop = await openShop();
    const result = await shop.agnes.query(
      "SELECT country, count(*) FROM r.sales WHERE small = 1 AND day >= '2026-01-01' GROUP BY country ORDER BY 2",
      { limits: { maxRows: 2 } },
    );
    for await (const _batch of result.batches);
    const { query } = runs(shop.server)[0]!.configuration.query;
    expect(query).toContain("`sales` WHERE (`day` >= DATE '2026-01-01') AND `small` IN (1)) AS `t0`");
    expect(query).toEndWith(" ORDER BY 2 ASC NULLS LAST, 1 ASC NULLS LAST LIMIT 3");
    expect(result.receipt()).toMatchObject({ rows: 2, truncated: true });
  });

  test("a join above the limit of bytes is read as single tables, and a table above it is rejected", async () => {
    const tables = shippedTables().map((table) => ({
      ...table,
      resource: { numBytes: String(8 * MEBIBYTE) },
    }));
    await using shop = await openShop({ tables, options: { maxBytesPerQuery: 12 * MEBIBYTE } });
    const local = await resultOf(shop.agnes, JOINED.replaceAll("r.", "l."));
    const { rows, receipt } = await resultOf(shop.agnes, JOINED);
    expect(rows).toEqual(local.rows as string[]);
    expect(receipt.remotes.map(({ accessMode }) => accessMode)).toEqual(["live", "live"]);
    await using small = await openShop();
    Object.assign(small.server.script, { dryRun: { totalBytesProcessed: String(2 ** 40) } });
    expect(await rejection(small.agnes.rows(GROUPED))).toMatchObject({ code: "bigquery/scan_too_large" });
    expect(runs(small.server)).toEqual([]);
  });

  test("a job that fails is replaced by reads of the tables", async () => {
    const failed = { reason: "resourcesExceeded", message: "Resources exceeded during query execution" };
    await using shop = await openShop({ script: { jobErrors: [failed] } });
    expect(await modesOf(shop.agnes, GROUPED)).toEqual(["live"]);
    expect(await modesOf(shop.agnes, GROUPED)).toEqual(["shipped"]);
  });

  test("an overflow is the error of DuckDB", async () => {
    await using shop = await openShop();
    const sql = "SELECT max(number + 1) FROM r.sales";
    const local = await rejection(shop.agnes.rows(sql.replaceAll("r.", "l.")));
    expect(await rejection(shop.agnes.rows(sql))).toMatchObject({ code: (local as { code?: string }).code! });
    expect(runs(shop.server).some(({ configuration }) => configuration.query.query.includes("MAX("))).toBe(
      false,
    );
  });

  test("EXPLAIN shows the statement and runs nothing", async () => {
    await using shop = await openShop();
    const [row] = await shop.agnes.rows<{ explain_value: string }>(`EXPLAIN ${GROUPED}`);
    expect(row!.explain_value).toContain("SHIPPED_QUERY\n  | SQL: SELECT `t0`.`country` AS `c0`, COUNT(*)");
    expect(shop.server.inserted).toEqual([]);
    const [hidden] = await shop.agnes.rows<{ explain_value: string }>(`EXPLAIN ${GROUPED}`, {
      access: new Set(["r.sales"]),
    });
    expect(hidden!.explain_value).toEndWith("SHIPPED_QUERY");
  });

  test("only accessible tables are read", async () => {
    await using shop = await openShop();
    const access = new Set(["r.sales"]);
    const result = await shop.agnes.query(GROUPED, { access });
    for await (const _batch of result.batches);
    expect(result.receipt().remotes[0]!.accessMode).toBe("shipped");
    expect(await rejection(shop.agnes.rows(JOINED, { access }))).toMatchObject({ code: "table_unknown" });
    expect(runs(shop.server)).toHaveLength(1);
  });

  test("a query that also reads local tables is not shipped", async () => {
    await using shop = await openShop();
    expect(await modesOf(shop.agnes, JOINED.replace("r.countries", "l.countries"))).toEqual(["live"]);
    const register = { w: { source: "r", sql: "SELECT `code` FROM `shop-1`.`shop`.`countries`" } };
    const result = await shop.agnes.query("SELECT count(*) FROM r.sales JOIN w ON country = code", {
      register,
    });
    for await (const _batch of result.batches);
    expect(result.receipt().remotes.map(({ accessMode }) => accessMode)).toEqual(["live"]);
  });

  test("the job is cancelled when the caller stops", async () => {
    await using shop = await openShop({ script: { polls: Infinity } });
    const controller = new AbortController();
    const running = shop.agnes.rows(GROUPED, { signal: controller.signal });
    running.catch(() => {});
    const job = () => runs(shop.server)[0]?.jobReference.jobId ?? "none";
    while (!shop.server.requests.some(({ url }) => url.includes(`/jobs/${job()}`)))
      await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort();
    expect(await rejection(running)).toMatchObject({ code: "aborted" });
    while (shop.server.cancelled.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(runs(shop.server)).toHaveLength(1);
  });

  test("a table that requires a partition filter gets one that all rows match", async () => {
    const tables = withResource("sales", {
      requirePartitionFilter: true,
      timePartitioning: { type: "DAY", field: "day" },
    });
    await using shop = await openShop({ tables });
    const local = await resultOf(shop.agnes, GROUPED.replaceAll("r.", "l."));
    const { rows, receipt } = await resultOf(shop.agnes, GROUPED);
    expect(receipt.remotes[0]!.shipped!.sql).toContain(
      "WHERE (`day` >= DATE '0001-01-01' OR `day` IS NULL)) AS `t0`",
    );
    expect(rows).toEqual(local.rows as string[]);
  });

  test("of tables by date only those with matching dates are read", async () => {
    const shard = (date: string): FakeTable => ({
      dataset: "shop",
      id: `events_${date}`,
      fields: [{ name: "id", type: "INTEGER" }],
      rows: [["1"], ["2"]],
    });
    const tables = ["20260101", "20260102", "20260103"].map(shard);
    await using shop = await openShop({ tables, names: ["events_YYYYMMDD"] });
    const sql =
      "SELECT shard_date, count(*), max(id) FROM r.\"events_YYYYMMDD\" WHERE shard_date >= '2026-01-02' GROUP BY ALL ORDER BY 1";
    const { rows, receipt } = await resultOf(shop.agnes, sql);
    expect(receipt.remotes[0]!.shipped!.sql).toContain("`_TABLE_SUFFIX` IN ('0260102', '0260103')");
    const local = await resultOf(shop.agnes, sql.replaceAll("r.", "l."));
    expect(rows).toEqual(local.rows as string[]);
    expect(rows).toHaveLength(2);
    const none = sql.replace("2026-01-02", "2027-01-01");
    expect(await modesOf(shop.agnes, none)).toEqual(["live"]);
  });

  test("columns that BigQuery compares differently are not shipped", async () => {
    const fields = [
      { name: "id", type: "INTEGER" },
      { name: "folded", type: "STRING", collation: "und:ci" },
      { name: "document", type: "JSON" },
      { name: "huge", type: "BIGNUMERIC" },
      { name: "place", type: "GEOGRAPHY" },
      { name: "numbers", type: "INTEGER", mode: "REPEATED" },
      { name: "span", type: "TIME" },
    ];
    const rows = [["1", "a", '{"a":1}', "1.5", "POINT(1 2)", [{ v: "1" }], "10:00:00"]] as const;
    await using shop = await openShop({
      tables: [{ dataset: "shop", id: "odd", fields, rows: rows as never }],
      names: ["odd"],
    });
    for (const { name } of fields.slice(1)) {
      const sql = `SELECT ${name}, count(*) FROM r.odd GROUP BY ${name}`;
      expect([name, await modesOf(shop.agnes, sql)]).toEqual([name, ["live"]]);
      const bare = `SELECT ${name} FROM r.odd WHERE id = 1 OR id = 2`;
      expect([name, await modesOf(shop.agnes, bare)]).toEqual([name, ["live"]]);
    }
    expect(await modesOf(shop.agnes, "SELECT count(*) FROM r.odd WHERE numbers IS NULL")).toEqual(["live"]);
  });

  test("a column whose type changed is not shipped", async () => {
    let isChanged = false;
    const fetch = (server: FakeBigQuery) => async (url: string, init: RequestInit) => {
      const response = await server.fetch(url, init);
      if (!isChanged || !url.endsWith("/tables/countries")) return response;
      const table = (await response.json()) as { schema: { fields: { name: string; type: string }[] } };
      for (const field of table.schema.fields) if (field.name === "small") field.type = "STRING";
      return Response.json(table);
    };
    await using shop = await openShop({ fetch });
    const sql = "SELECT small, count(*) FROM r.countries GROUP BY small";
    const counts = () =>
      runs(shop.server).filter(({ configuration }) => configuration.query.query.includes("COUNT(*)")).length;
    expect([await modesOf(shop.agnes, sql), counts()]).toEqual([["shipped"], 1]);
    isChanged = true;
    await shop.agnes.rows(sql).catch(() => {});
    expect(counts()).toBe(1);
  });
});
