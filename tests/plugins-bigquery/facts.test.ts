import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { duckdbTypeOf } from "../../lib/duckdb/mod.ts";
import { jobLabels, userLabel } from "../../plugins/bigquery/labels.ts";
import { fakeBigQuery, type FakeBigQuery, type FakeCell, type FakeField } from "../fakes/bigquery/mod.ts";
import { temporaryFolder } from "../sync/workspace.ts";
import { openShippedShop } from "./shipped-shop.ts";
import { connect, rejection } from "./support.ts";

setDefaultTimeout(60_000);

const SQL = "SELECT values FROM a_registered_result";
const TABLE = { dataset: "shop", id: "a", fields: [{ name: "id", type: "INTEGER" }], rows: [["1"]] };
const { signal } = new AbortController();

/** The server, whose responses to some requests are others. */
function changed(
  server: FakeBigQuery,
  respond: (url: URL, init: RequestInit) => Response | undefined,
): FakeBigQuery {
  const fetch = async (url: string, init: RequestInit) =>
    respond(new URL(url), init) ?? server.fetch(url, init);
  return Object.defineProperties(
    {},
    { ...Object.getOwnPropertyDescriptors(server), fetch: { value: fetch } },
  ) as FakeBigQuery;
}

describe("bigquery: what is not found", () => {
  const message = "Not found: Table shop-1:shop.a was not found in location EU";
  test.each([
    ["by its reason", { code: 404, message, errors: [{ reason: "notFound", message }] }],
    ["by its code", { code: 404, message: "Requested entity was not found." }],
    ["by its status", { message: "Not Found", status: "NOT_FOUND" }],
  ])("%s", async (_what, error) => {
    await using server = fakeBigQuery({ tables: [TABLE] });
    const gone = changed(server, ({ pathname }) =>
      pathname.endsWith("/tables/a") || pathname.endsWith("/jobs")
        ? Response.json({ error }, { status: 404 })
        : undefined,
    );
    const { tables, read, query, connector } = await connect(gone);
    expect(await rejection(query("SELECT 1"))).toMatchObject({ code: "bigquery/not_found" });
    expect(await rejection(read("shop.a"))).toMatchObject({ code: "bigquery/table_missing" });
    expect((await tables()).size).toBe(0);
    expect(await connector.metadata!([{ name: "shop.a" } as never], { signal })).toEqual([]);
  });

  test("also as the failure of a job", async () => {
    const failed = {
      reason: "notFound",
      message: "Not found: Dataset shop-1:shop was not found in location US",
    };
    await using server = fakeBigQuery({ tables: [TABLE], script: { jobErrors: [failed] } });
    const { query } = await connect(server);
    expect(await rejection(query("SELECT `id` FROM `shop-1`.`shop`.`a`"))).toMatchObject({
      code: "bigquery/not_found",
      message: expect.stringContaining("was not found in location US"),
    });
  });
});

describe("bigquery: metadata that cannot be read", () => {
  test("is an error and not a missing table", async () => {
    const error = {
      status: 403,
      reason: "accessDenied",
      message: "Access Denied: Table shop-1:shop.a, or perhaps it does not exist in location US.",
    };
    await using server = fakeBigQuery({
      tables: [TABLE],
      script: { rejections: [{ path: "/tables/a", error }] },
    });
    const { connector } = await connect(server);
    const found = connector.metadata!([{ name: "shop.a" } as never], { signal });
    expect(await rejection(found)).toMatchObject({ code: "bigquery/access_denied" });
  });

  test("of a table that is known by its path is that of this table", async () => {
    const other = { ...TABLE, project: "other-1", dataset: "lent" };
    await using server = fakeBigQuery({ tables: [TABLE, other] });
    const { connector } = await connect(server);
    const infos = [
      ["shop", "a"],
      ["other-1", "lent", "a"],
    ].map((remotePath) => ({ name: "a", remotePath }));
    expect(await connector.metadata!(infos as never, { signal })).toMatchObject([
      { name: "a", rows: 1 },
      { name: "a", rows: 1 },
    ]);
    const paths = server.requests
      .map(({ url }) => new URL(url).pathname)
      .filter((path) => path.endsWith("/a"));
    expect(paths.map((path) => path.split("/").slice(-5).join("/"))).toEqual([
      "shop-1/datasets/shop/tables/a",
      "other-1/datasets/lent/tables/a",
    ]);
  });
});

test("bigquery: a dataset without access is named, and does not hide the others", async () => {
  const denied = { status: 403, reason: "accessDenied", message: "Access Denied: Dataset shop-1:hidden" };
  await using server = fakeBigQuery({
    tables: [{ ...TABLE, dataset: "hidden" }, TABLE],
    script: { rejections: [{ path: "/datasets/hidden/tables", error: denied }] },
  });
  const tables = await (await connect(server)).tables();
  expect([...tables].map(([name, { problem }]) => [name, problem?.code])).toEqual([
    ["hidden.*", "bigquery/access_denied"],
    ["shop.a", undefined],
  ]);
  expect(tables.get("hidden.*")!.problem!.message).toBe(
    "BigQuery denies access to dataset hidden: Access Denied: Dataset shop-1:hidden",
  );
});

test("bigquery: the rows of tables whose number is unknown are counted by BigQuery, and all are read", async () => {
  const rows = [["1"], ["2"]];
  const unknown = { numRows: "0", numBytes: "0" };
  await using server = fakeBigQuery({
    tables: [
      { ...TABLE, id: "files", rows, resource: { ...unknown, type: "EXTERNAL" } },
      { ...TABLE, id: "streamed", rows, resource: { ...unknown, streamingBuffer: { estimatedRows: "2" } } },
    ],
  });
  using folder = temporaryFolder();
  await using agnes = await openShippedShop(folder.path, {
    fetch: server.fetch,
    serviceAccount: server.signIn.serviceAccount,
    options: { project: server.project },
    tables: ["files", "streamed"],
  });
  for (const table of ["r.files", "r.streamed", "l.files", "l.streamed"])
    expect([table, await agnes.rows(`SELECT count(*)::INT AS n FROM ${table}`)]).toEqual([table, [{ n: 2 }]]);
});

test("bigquery: the id of a project may have a domain", async () => {
  await using server = fakeBigQuery({ project: "example.com:shop-1", tables: [TABLE] });
  const { tables, read, connector } = await connect(server);
  const infos = [...(await tables()).values()];
  expect(infos.map(({ remotePath }) => remotePath)).toEqual([["example.com:shop-1", "shop", "a"]]);
  expect(await read("shop.a")).toEqual([{ id: "1" }]);
  const sql = "SELECT `id` FROM `example.com:shop-1`.`shop`.`a`";
  expect(server.inserted.at(-1)!.configuration.query.query).toBe(sql);
  expect(connector.selectSql!(infos[0]!, { columns: ["id"], filter: [] })).toBe(sql);
  expect(await connector.metadata!(infos, { signal })).toHaveLength(1);
});

describe("bigquery: labels", () => {
  test("of one job are at most 64, with that of Agnes", () => {
    const many = Object.fromEntries(Array.from({ length: 70 }, (_, at) => [`key ${at}`, "x"]));
    const labels = jobLabels({ workload_type: "other", ...many });
    expect(Object.keys(labels)).toHaveLength(64);
    expect(labels).toMatchObject({ key_0: "x", workload_type: "agnes" });
  });

  test("name the user, and no option names another", () => {
    const many = Object.fromEntries(Array.from({ length: 70 }, (_, at) => [`key ${at}`, "x"]));
    const labels = jobLabels({ "Agnes User": "ben", ...many }, "7k3_-ann");
    expect(Object.keys(labels)).toHaveLength(64);
    expect(labels).toMatchObject({ key_0: "x", agnes_user: "7k3_-ann", workload_type: "agnes" });
    expect(jobLabels({ agnes_user: "ben" })).toEqual({ workload_type: "agnes" });
  });

  test("of users differ if their names do, and are accepted for any name", () => {
    const hash = userLabel("Ann");
    const names = ["ann", "Ann", "ANN", "ann@example.com", "ann_example_com", "", hash, "a".repeat(64), "ß"];
    const values = names.map((name) => userLabel(name));
    expect(new Set(values).size).toBe(names.length);
    for (const value of values) expect(value).toMatch(/^[a-z0-9_-]{1,63}$/);
  });

  test("have at most 63 characters, and begin with a letter of any alphabet", () => {
    const long = "a".repeat(70);
    expect(jobLabels({ [long]: long, "1_Žena": "Č 1", "123": "x" })).toEqual({
      ["a".repeat(63)]: "a".repeat(63),
      žena: "č_1",
      workload_type: "agnes",
    });
  });
});

describe("bigquery: a busy service", () => {
  test.each([429, 500, 503])("that returns %i is requested again, and then reported", async (status) => {
    await using server = fakeBigQuery({ tables: [TABLE] });
    let left = 2;
    const busy = changed(server, ({ pathname }) =>
      pathname.endsWith("/jobs") && left-- > 0 ? new Response("busy", { status }) : undefined,
    );
    const { query } = await connect(busy);
    expect(await query("SELECT `id` FROM `shop-1`.`shop`.`a`")).toEqual([{ id: "1" }]);
    left = Infinity;
    expect(await rejection(query(SQL))).toMatchObject({ code: "bigquery/unavailable" });
  });

  test("that limits the polls of a job does not stop it", async () => {
    await using server = fakeBigQuery({ tables: [TABLE], script: { polls: 2 } });
    const limited = { status: 403, reason: "rateLimitExceeded", message: "Exceeded rate limits" };
    const { query } = await connect(server);
    server.script.rejections.push({ path: "/jobs/agnes_", error: limited });
    expect(await query("SELECT `id` FROM `shop-1`.`shop`.`a`")).toEqual([{ id: "1" }]);
    expect(server.cancelled).toEqual([]);
    expect(server.script.rejections).toEqual([]);
  });
});

test("bigquery: the timeout of a query is also that of its job", async () => {
  await using server = fakeBigQuery({ tables: [TABLE] });
  const { query } = await connect(server);
  await query("SELECT `id` FROM `shop-1`.`shop`.`a`", { limits: { timeoutMs: 20_000 } });
  expect(server.inserted.at(-1)!.configuration).toMatchObject({ jobTimeoutMs: "20000" });
});

describe("bigquery: values of the REST API", () => {
  const INT64 = "formatOptions.useInt64Timestamp";
  const TEXT = "formatOptions.timestampOutputFormat";
  test.each<[Omit<FakeField, "name">, FakeCell, unknown, string]>([
    [{ type: "GEOGRAPHY" }, "POINT(1 2)", "POINT(1 2)", INT64],
    [{ type: "INTERVAL" }, "10000-0 3660000 87840000:0:0", "10000-0 3660000 87840000:0:0", INT64],
    [
      { type: "RANGE", rangeElementType: { type: "DATE" } },
      "[2020-01-01, UNBOUNDED)",
      "[2020-01-01, UNBOUNDED)",
      INT64,
    ],
    [
      { type: "RANGE", rangeElementType: { type: "TIMESTAMP" } },
      "[2020-01-01T00:00:00.000001Z, UNBOUNDED)",
      "[2020-01-01T00:00:00.000001Z, UNBOUNDED)",
      TEXT,
    ],
    [{ type: "TIME" }, "23:59:59.999999", "23:59:59.999999", INT64],
    [{ type: "DATE" }, "0001-01-01", "0001-01-01", INT64],
    [{ type: "INTEGER", mode: "REPEATED" }, [{ v: "1" }, { v: null }], ["1", null], INT64],
    [
      { type: "TIMESTAMP", mode: "REPEATED" },
      [{ v: "-19954556198377106" }],
      ["1337-08-31T11:43:21.622894Z"],
      INT64,
    ],
    [
      { type: "RECORD", fields: [{ name: "t", type: "TIMESTAMP" }] },
      { f: [{ v: "-19954556198377106" }] },
      { t: "1337-08-31T11:43:21.622894Z" },
      INT64,
    ],
    [
      { type: "RECORD", fields: [{ name: "t", type: "TIMESTAMP", timestampPrecision: "12" }] },
      { f: [{ v: "2026-01-31T10:00:00.123456789012Z" }] },
      { t: "2026-01-31T10:00:00.123456789012Z" },
      TEXT,
    ],
  ])("%j keeps %j", async (field, cell, value, format) => {
    await using server = fakeBigQuery({ tables: [] });
    server.results.set(SQL, { fields: [{ name: "x", ...field }], rows: [[cell]] });
    const { query, connector } = await connect(server);
    expect(await query(SQL)).toEqual([{ x: value }]);
    const pages = server.requests.map(({ url }) => new URL(url).searchParams);
    expect(pages.filter((params) => params.has(format))).toHaveLength(1);
    const { schema } = await connector.query!(SQL, { signal });
    expect(duckdbTypeOf(schema.fields[0]!)).toBeString();
  });
});
