import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { arrow } from "agnes/kit";

import { namedParameters } from "../../plugins/bigquery/parameters.ts";
import { fakeBigQuery, type FakeBigQuery, type FakeScript } from "../fakes/bigquery/mod.ts";
import { ordersTable } from "./sample.ts";
import { connect, rejection } from "./support.ts";

setDefaultTimeout(60_000);

const SQL = "SELECT `id` FROM `shop-1`.`shop`.`orders`";
const LIMIT_BYTES = 100 * 1024 ** 2;

const open = (script: Partial<FakeScript> = {}, count = 30) =>
  fakeBigQuery({ tables: [ordersTable(count)], script });

const runs = ({ inserted }: FakeBigQuery) =>
  inserted.filter(({ configuration }) => configuration.dryRun !== true);

async function failure(
  script: Partial<FakeScript>,
  sql = SQL,
  options: Readonly<Record<string, unknown>> = {},
) {
  await using server = open(script);
  const { query, host, log } = await connect(server, options);
  const error = await rejection(query(sql));
  return { error, runs: runs(server), requests: server.requests.length, host, log };
}

describe("bigquery: jobs", () => {
  test("reads all pages, also after a page without rows and responses before the result is ready", async () => {
    await using server = open({ polls: 3, incomplete: 2, pageRows: 7, emptyPage: true });
    const { query } = await connect(server);
    const ids = (await query(SQL)).map(({ id }) => Number(id));
    expect(ids).toEqual(Array.from({ length: 30 }, (_, id) => id));
  });

  test("fails if a result ends before its last row", async () => {
    await using server = open({ pageRows: 7 });
    const fetch = async (url: string, init: RequestInit) => {
      const response = await server.fetch(url, init);
      if (!url.includes("pageToken=14")) return response;
      const { pageToken: _, ...page } = (await response.json()) as Record<string, unknown>;
      return Response.json(page);
    };
    const cut = Object.defineProperties(
      {},
      { ...Object.getOwnPropertyDescriptors(server), fetch: { value: fetch } },
    );
    const { query } = await connect(cut as FakeBigQuery);
    expect(await rejection(query(SQL))).toMatchObject({
      code: "bigquery/result_incomplete",
      details: { rows: 21, totalRows: 30 },
    });
  });

  test("sends GoogleSQL, the limit of bytes, labels and the location of the tables with each call", async () => {
    await using server = open();
    const { query, log } = await connect(server, {
      maxBytesPerQuery: LIMIT_BYTES,
      labels: { "Team A": "Data & BI", "1": "x" },
    });
    await query(SQL, { limits: { maxScannedBytes: 50_000_000 } });
    const [dryRun, run] = server.inserted;
    expect(server.inserted).toHaveLength(2);
    expect(dryRun!.configuration).toMatchObject({ dryRun: true, query: { useLegacySql: false } });
    expect(run!.configuration).toMatchObject({
      query: { query: SQL, useLegacySql: false, maximumBytesBilled: "50000000" },
    });
    expect(run!.configuration.labels).toEqual({ workload_type: "agnes", team_a: "data___bi" });
    expect(run!.jobReference).toMatchObject({ projectId: "shop-1", location: "europe-west3" });
    const calls = server.requests
      .map(({ url }) => new URL(url))
      .filter(({ pathname }) => /(jobs|queries)\/./.test(pathname));
    expect(calls.length).toBeGreaterThan(2);
    for (const { searchParams } of calls) expect(searchParams.get("location")).toBe("europe-west3");
    expect(log.entries.find(({ message }) => message.endsWith("is done"))?.fields).toMatchObject({
      bytesBilled: 10 * 1024 ** 2,
      cacheHit: false,
    });
  });

  test("runs jobs in the billing project", async () => {
    await using server = open();
    const { query } = await connect(server, { billingProject: "payer-1" });
    await query(SQL);
    expect(server.inserted.map(({ jobReference }) => jobReference.projectId)).toEqual(["payer-1", "payer-1"]);
    const paths = server.requests
      .map(({ url }) => new URL(url).pathname)
      .filter((path) => path.includes("/projects/"));
    expect(paths.filter((path) => !path.includes("/projects/payer-1/"))).toEqual([]);
  });

  test("runs a job again under a new id after a rate limit and an error of the service", async () => {
    const limited = { reason: "rateLimitExceeded", message: "Job exceeded rate limits" };
    await using server = open({ jobErrors: [limited, { reason: "backendError", message: "Retry" }] });
    const { query } = await connect(server);
    expect(await query(SQL)).toHaveLength(30);
    const ids = runs(server).map(({ jobReference }) => jobReference.jobId);
    expect(new Set(ids).size).toBe(3);
  });

  test("fails with the reason of a job, and ignores warnings", async () => {
    const full = { reason: "resourcesExceeded", message: "Resources exceeded during query execution" };
    const { error, runs: started } = await failure({ jobErrors: [full] });
    expect(error).toMatchObject({ code: "bigquery/job_failed" });
    expect(error.message).toContain(
      `job ${started[0]!.jobReference.jobId} failed in BigQuery: Resources exceeded`,
    );
    expect(started).toHaveLength(1);
    await using server = open({ warnings: [full] });
    expect(await (await connect(server)).query(SQL)).toHaveLength(30);
  });

  test("does not start a job twice if the response to its start is lost", async () => {
    await using server = open();
    let lost = 0;
    const fetch = async (url: string, init: RequestInit) => {
      const response = await server.fetch(url, init);
      if (!url.endsWith("/jobs") || !(init.body as string).includes("maximumBytesBilled") || lost++ > 0)
        return response;
      throw new TypeError("socket hang up");
    };
    const broken = Object.defineProperties(
      {},
      { ...Object.getOwnPropertyDescriptors(server), fetch: { value: fetch } },
    );
    const { query } = await connect(broken as FakeBigQuery);
    expect(await query(SQL)).toHaveLength(30);
    expect(new Set(runs(server).map(({ jobReference }) => jobReference.jobId)).size).toBe(1);
    expect(runs(server)).toHaveLength(2);
  });

  test("cancels the job in its location when the caller stops", async () => {
    await using server = open({ polls: Infinity });
    const { query, log } = await connect(server);
    const controller = new AbortController();
    const running = query(SQL, { signal: controller.signal });
    while (!server.requests.some(({ url }) => url.includes("/jobs/agnes_")))
      await new Promise((resolve) => setImmediate(resolve));
    controller.abort();
    expect(await rejection(running)).toMatchObject({ code: "aborted" });
    expect(server.cancelled).toEqual([runs(server)[0]!.jobReference.jobId!]);
    expect(log.entries.at(-1)!.message).toContain("it may still be billed");
  });

  test("cancels the job after its timeout", async () => {
    await using server = open({ polls: Infinity });
    const { query } = await connect(server);
    expect(await rejection(query(SQL, { limits: { timeoutMs: 20_000 } }))).toMatchObject({
      code: "timed_out",
    });
    expect(server.cancelled).toHaveLength(1);
  });
});

describe("bigquery: estimates", () => {
  test.each([
    ["of unknown accuracy", { dryRun: { totalBytesProcessedAccuracy: "UNKNOWN" } }],
    ["only the least number", { dryRun: { totalBytesProcessedAccuracy: "LOWER_BOUND" } }],
    ["unknown accuracy", { dryRun: { totalBytesProcessedAccuracy: undefined } }],
    ["reports no bytes", { dryRun: { totalBytesProcessed: undefined } }],
    ["a row access policy", { hasRowPolicy: true }],
  ])("an estimate does not let a query run: %s", async (reason, script) => {
    const { error, runs: started } = await failure(script as Partial<FakeScript>);
    expect(error).toMatchObject({ code: "bigquery/estimate_unknown" });
    expect(error.message).toContain(reason);
    expect(started).toEqual([]);
    await using server = open(script as Partial<FakeScript>);
    const { connector } = await connect(server);
    const estimate = await connector.estimate!(SQL, { signal: new AbortController().signal });
    expect(estimate.scannedBytes).toBeUndefined();
    expect(estimate.problem).toMatchObject({ code: "bigquery/estimate_unknown" });
  });

  test("a query above the limit is not run, and names its tables", async () => {
    const scanned = { dryRun: { totalBytesProcessed: String(LIMIT_BYTES + 1) } };
    const { error, runs: started } = await failure(scanned, SQL, { maxBytesPerQuery: LIMIT_BYTES });
    expect(error).toMatchObject({
      code: "bigquery/scan_too_large",
      details: { scannedBytes: LIMIT_BYTES + 1, limitBytes: LIMIT_BYTES, tables: ["shop-1.shop.orders"] },
    });
    expect(started).toEqual([]);
    const exact = {
      dryRun: { totalBytesProcessed: String(LIMIT_BYTES), totalBytesProcessedAccuracy: "UPPER_BOUND" },
    };
    await using server = open(exact);
    expect(await (await connect(server, { maxBytesPerQuery: LIMIT_BYTES })).query(SQL)).toHaveLength(30);
  });

  test.each([0, Number.NaN])(
    "a limit of %p bytes lets only queries run that read nothing",
    async (maxScannedBytes) => {
      await using server = open();
      const { query } = await connect(server);
      expect(await rejection(query(SQL, { limits: { maxScannedBytes } }))).toMatchObject({
        code: "bigquery/scan_too_large",
      });
      expect(await query("SELECT 1 AS one", { limits: { maxScannedBytes: 0 } })).toHaveLength(1);
      expect(runs(server)[0]!.configuration.query.maximumBytesBilled).toBe("1");
    },
  );

  test("BigQuery itself stops a job above the limit", async () => {
    const { error } = await failure({}, SQL, { maxBytesPerQuery: 1_000_000 });
    expect(error).toMatchObject({
      code: "bigquery/scan_too_large",
      details: { scannedBytes: 10 * 1024 ** 2, limitBytes: 1_000_000 },
    });
  });

  test.each([
    ["DELETE FROM `shop-1`.`shop`.`orders` WHERE true", "DELETE"],
    ["SELECT 1; DROP TABLE `shop-1`.`shop`.`orders`", "SCRIPT"],
  ])("%s is not run", async (sql, type) => {
    const { error, runs: started } = await failure({}, sql);
    expect(error).toMatchObject({ code: "bigquery/statement_refused", details: { type } });
    expect(started).toEqual([]);
  });

  test("a query whose dry run fails is not run", async () => {
    const { error, runs: started } = await failure({}, "SELECT `nothing` FROM `shop-1`.`shop`.`orders`");
    expect(error).toMatchObject({ code: "bigquery/query_invalid" });
    expect(started).toEqual([]);
  });

  test("estimate() returns the bytes of a dry run and starts no job", async () => {
    await using server = open();
    const { connector } = await connect(server);
    const { signal } = new AbortController();
    const parameters = { id: 5n };
    const estimate = await connector.estimate!(`${SQL} WHERE \`id\` = @id`, { signal, parameters });
    expect(estimate).toMatchObject({
      scannedBytes: 240,
      statementType: "SELECT",
      referencedTables: ["shop.orders"],
    });
    expect(estimate.problem).toBeUndefined();
    expect(estimate.schema!.fields.map(({ name, type }) => [name, String(type)])).toEqual([["id", "Int64"]]);
    expect(runs(server)).toEqual([]);
    expect(server.inserted[0]!.configuration.query).toMatchObject({
      parameterMode: "NAMED",
      queryParameters: [{ name: "id", parameterType: { type: "INT64" }, parameterValue: { value: "5" } }],
    });
  });
});

describe("bigquery: what an estimate states besides the bytes", () => {
  const { signal } = new AbortController();
  const table = (tableId: string, projectId = "shop-1") => ({ projectId, datasetId: "shop", tableId });
  const referenced = async (sql: string, dryRun: FakeScript["dryRun"] = {}) => {
    await using server = open({ dryRun });
    const { connector } = await connect(server);
    return (await connector.estimate!(sql, { signal })).referencedTables;
  };

  test("estimate() names the tables as discover() does", async () => {
    const referencedTables = [table("orders"), table("rates", "other-1")];
    expect(await referenced(SQL, { referencedTables })).toEqual(["shop.orders", "other-1.shop.rates"]);
    expect(await referenced("SELECT 1 AS ml, 2 AS model")).toEqual([]);
  });

  test("estimate() names no tables if BigQuery may not list all", async () => {
    const fifty = Array.from({ length: 50 }, (_, at) => table(`t${at}`));
    expect(await referenced(SQL, { referencedTables: fifty.slice(1) })).toHaveLength(49);
    expect(await referenced(SQL, { referencedTables: fifty })).toBeUndefined();
    expect(await referenced(SQL, { referencedRoutines: [{ routineId: "f" }] })).toBeUndefined();
    for (const hidden of [
      "shop.INFORMATION_SCHEMA.TABLES",
      "shop.__TABLES__",
      "External_Query",
      "`INFORMATION\\u005fSCHEMA`",
      "ML.WEIGHTS(MODEL shop.m)",
      "`ai` -- x\n /* y */.GENERATE()",
    ])
      expect([hidden, await referenced(`SELECT '${hidden}' AS name`)]).toEqual([hidden, undefined]);
  });

  test("estimate() returns the error of a query above the limit of the source", async () => {
    await using server = open();
    const { connector } = await connect(server, { maxBytesPerQuery: 100 });
    expect((await connector.estimate!(SQL, { signal })).problem).toMatchObject({
      code: "bigquery/scan_too_large",
      details: { scannedBytes: 240, limitBytes: 100 },
    });
  });
});

describe("bigquery: arrays", () => {
  const { signal } = new AbortController();

  test("query() sends an array with the type of its values, also without values", async () => {
    await using server = open();
    const { connector, query } = await connect(server);
    const ids = { type: new arrow.Int32(), values: [3n, 5n] };
    const sql = `${SQL} WHERE \`id\` IN UNNEST(@keys)`;
    expect(await query(sql, { parameters: { keys: ids } })).toEqual([{ id: "3" }, { id: "5" }]);
    expect(runs(server)[0]!.configuration.query.queryParameters).toEqual([
      {
        name: "keys",
        parameterType: { type: "ARRAY", arrayType: { type: "INT64" } },
        parameterValue: { arrayValues: [{ value: "3" }, { value: "5" }] },
      },
    ]);
    expect(await query(sql, { parameters: { keys: { ...ids, values: [] } } })).toEqual([]);
    const keys = { type: new arrow.List(new arrow.Field("item", new arrow.Int32())), values: [] };
    expect(String(await rejection(connector.query!(sql, { parameters: { keys }, signal })))).toContain(
      "the array keys has values of the type List, which is not supported",
    );
  });

  test.each([
    [new arrow.Decimal(9, 38, 128), "1.5", "NUMERIC", "1.5"],
    [new arrow.Decimal(0, 38, 128), "1", "BIGNUMERIC", "1"],
    [new arrow.Decimal(10, 38, 128), "1", "BIGNUMERIC", "1"],
    [new arrow.Uint64(), 2n ** 64n - 1n, "BIGNUMERIC", "18446744073709551615"],
    [new arrow.Float64(), Number.NaN, "FLOAT64", "NaN"],
    [new arrow.Utf8(), "x", "STRING", "x"],
    [new arrow.Bool(), false, "BOOL", "false"],
    [new arrow.DateDay(), "2026-01-31", "DATE", "2026-01-31"],
    [new arrow.TimestampMicrosecond(), "2026-01-31 10:00:00.5", "DATETIME", "2026-01-31 10:00:00.5"],
    [
      new arrow.TimestampMicrosecond("UTC"),
      "2026-01-31 10:00:00+00",
      "TIMESTAMP",
      "2026-01-31 10:00:00+00:00",
    ],
  ] as const)("an array of %s with %p is one of %s", (type, value, name, text) => {
    const [parameter] = namedParameters({ keys: { type, values: [value] } });
    expect(parameter).toMatchObject({
      parameterType: { arrayType: { type: name } },
      parameterValue: { arrayValues: [{ value: text }] },
    });
  });
});

describe("bigquery: rejections", () => {
  const drive = "Access Denied: BigQuery BigQuery: Permission denied while getting Drive credentials.";
  const needsFilter =
    "Cannot query over table 'shop.orders' without a filter over column(s) 'day' that can be used for partition elimination";
  test.each([
    [
      403,
      "accessDenied",
      "Access Denied: Project payer: User does not have bigquery.jobs.create permission",
      "access_denied",
    ],
    [
      403,
      "accessDenied",
      "Access Denied: Table shop-1:shop.orders: User does not have permission to query table shop-1:shop.orders, or perhaps it does not exist in location US.",
      "access_denied",
    ],
    [403, "accessDenied", drive, "drive_scope_missing"],
    [
      403,
      "quotaExceeded",
      "Quota exceeded: Your project exceeded quota for free query bytes scanned.",
      "quota_exceeded",
    ],
    [404, "notFound", "Not found: Dataset shop-1:shop was not found in location US", "not_found"],
    [400, "invalidQuery", needsFilter, "partition_filter_required"],
    [400, "invalid", "Invalid value for location: moon", "request_refused"],
    [400, "invalidQuery", "Unrecognized name: nmae at [1:8]", "query_invalid"],
  ] as const)("%i %s %s", async (status, reason, message, code) => {
    const { error } = await failure({ rejections: [{ path: "/jobs", error: { status, reason, message } }] });
    expect(error).toMatchObject({ code: `bigquery/${code}` });
    if (code !== "partition_filter_required") expect(error.message).toContain(message);
  });

  test.each([
    [403, "rateLimitExceeded", "Exceeded rate limits: too many api requests per user per method"],
    [400, "jobRateLimitExceeded", "Job exceeded rate limits"],
    [400, "invalidQuery", "Exceeded rate limits: too many concurrent queries"],
  ])("%i %s is repeated with growing pauses, and then reported", async (status, reason, message) => {
    const error = { status, reason, message };
    const path = "/jobs";
    await using server = open({
      rejections: [
        { path, error },
        { path, error },
      ],
    });
    const { query, host } = await connect(server);
    expect(await query(SQL)).toHaveLength(30);
    expect(host.sleeps.slice(0, 2)).toEqual([1000, 2000]);
    const all = Array.from({ length: 5 }, () => ({ path, error }));
    expect((await failure({ rejections: all })).error).toMatchObject({
      code: "bigquery/unavailable",
      message: `BigQuery cannot serve the request for the query now: ${error.message}`,
    });
  });
});
