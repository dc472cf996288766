import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";

import { createAgnes } from "agnes";
import { connectorContract } from "agnes/testing";

import { Secret, silentLog } from "../../lib/base/mod.ts";
import {
  createHttp,
  mergeParts,
  type AnyConnector,
  type Batch,
  type SourceQueryLimits,
} from "../../lib/kit/mod.ts";
import { fakeHost } from "../../lib/testing/mod.ts";
import {
  BIGQUERY_PROJECT,
  BIGQUERY_TOKEN,
  fakeBigQuery,
  type BigQueryScript,
  type FakeBigQuery,
} from "../fakes/bigquery.ts";
import { temporaryFolder } from "../sync/workspace.ts";
import bigquery from "./plugins/bigquery.ts";

// Opens many databases, which is slow on a busy machine.
setDefaultTimeout(60_000);

const PARAMETERS = ["text", "whole", "big", "fraction", "flag", "nothing"];

const failureOf = async (promise: Promise<unknown>) => promise.catch((error: unknown) => error);

describe("bigquery: contract", () => {
  const server = fakeBigQuery();
  afterAll(() => server[Symbol.asyncDispose]());
  const config = {
    options: { project: BIGQUERY_PROJECT },
    secrets: { BIGQUERY_TOKEN },
    tables: ["orders"],
    parameterQuery: `SELECT ${PARAMETERS.map((name) => `@${name} AS ${name}`).join(", ")}, CAST(@moment AS STRING) AS moment`,
  };
  const cases = connectorContract(bigquery, { ...config, server });
  for (const { name, run } of cases) test(name, async () => void (await run()));

  test("catches a bigint that is sent as a floating-point number", async () => {
    const fetch = (async (url: string, init: RequestInit = {}) => {
      const body = typeof init.body === "string" ? init.body.replaceAll('"INT64"', '"FLOAT64"') : null;
      return server.fetch(url, { ...init, body });
    }) as typeof globalThis.fetch;
    const name = "query() returns the values of named parameters";
    const [parameters] = connectorContract(bigquery, { ...config, host: { fetch } }).filter(
      (one) => one.name === name,
    );
    expect(String(await failureOf(parameters!.run()))).toContain("the parameter big of");
  });
});

/** The connector of the guide with a fake clock. */
async function connect(server: FakeBigQuery): Promise<AnyConnector> {
  const context = {
    options: { project: BIGQUERY_PROJECT, usdPerTebibyte: 6.25 },
    secrets: { BIGQUERY_TOKEN: new Secret("BIGQUERY_TOKEN", BIGQUERY_TOKEN) },
    http: createHttp({ host: fakeHost({ fetch: server.fetch }), log: silentLog }),
    log: silentLog,
  };
  return (await bigquery.connect(context as never)) as AnyConnector;
}

async function rowsOf(script: BigQueryScript, sql: string, limits: SourceQueryLimits = {}) {
  await using server = fakeBigQuery(script);
  const connector = await connect(server);
  const { signal } = new AbortController();
  const { parts = [], schema } = await connector.query!(sql, { limits, signal });
  const rows: unknown[] = [];
  for await (const batch of mergeParts<Batch>(parts, { signal })) rows.push(...(batch as unknown[]));
  return { rows, parts: parts.length, names: schema.names, server };
}

describe("bigquery: query", () => {
  test("reads every row once, in parts", async () => {
    const { rows, parts, names } = await rowsOf(
      { orders: 12_001 },
      "SELECT `id`, `amount` FROM `shop`.`orders`",
    );
    expect(parts).toBe(3);
    expect(names).toEqual(["id", "amount"]);
    const ids = rows.map((row) => Number((row as { id: string }).id));
    expect(ids.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 12_001 }, (_, id) => id));
  });

  test("fails if a page is shorter than requested", async () => {
    const reading = rowsOf({ orders: 9, pageRows: 4 }, "SELECT `id` FROM `shop`.`orders`");
    expect(String(await failureOf(reading))).toContain("lower PAGE_ROWS");
  });

  test.each(["[1, 2]", "DATE '2026-01-01'"])("rejects the unsupported type of %s", async (value) => {
    expect(await failureOf(rowsOf({}, `SELECT ${value} AS value`))).toMatchObject({
      code: "source_answer_invalid",
    });
  });

  test("passes maxScannedBytes to BigQuery, which rejects the query", async () => {
    const sql = "SELECT `id` FROM `shop`.`orders`";
    const failure = await failureOf(rowsOf({}, sql, { maxScannedBytes: 10_000_000 }));
    expect(String(failure)).toContain("10485760 or higher required");
    expect((await rowsOf({}, sql, { maxScannedBytes: 10_485_760 })).rows.length).toBe(7);
  });

  test("a query of a live table is one SELECT with its columns and conditions", async () => {
    await using server = fakeBigQuery({ orders: 200 });
    using folder = temporaryFolder();
    await using agnes = await createAgnes({
      workspace: folder.path,
      plugins: [bigquery],
      host: { fetch: server.fetch, env: { BIGQUERY_TOKEN } },
      config: {
        version: 1,
        sources: { shop: { plugin: "bigquery", options: { project: BIGQUERY_PROJECT } } },
      },
    });
    await (await agnes.tables()).register({ source: "shop", sourceTable: "orders", queryMode: "remote" });
    await agnes.sync();
    const sql = "SELECT count(customer)::INT AS n, sum(amount)::VARCHAR AS total FROM orders WHERE id >= 198";
    expect(await agnes.rows(sql)).toEqual([{ n: 2, total: "689.500000000" }]);
    expect(server.submitted.at(-1)!.query).toEndWith("FROM `shop`.`orders` WHERE (`id` >= 198)");
  });

  test("cancels the job when its timeout expires", async () => {
    await using server = fakeBigQuery({ polls: Infinity });
    const connector = await connect(server);
    const { signal } = new AbortController();
    const options = { limits: { timeoutMs: 5000 }, signal };
    expect(await connector.query!("SELECT 1 AS one", options).catch((error: unknown) => error)).toMatchObject(
      {
        code: "timed_out",
      },
    );
    expect(server.cancelled).toEqual(["job_1"]);
  });

  test("estimates scanned bytes and the price by a dry run", async () => {
    await using server = fakeBigQuery({ orders: 1000 });
    const connector = await connect(server);
    const { signal } = new AbortController();
    const estimate = await connector.estimate!("SELECT `id` FROM `shop`.`orders` WHERE `id` = @id", {
      parameters: { id: 5 },
      signal,
    });
    expect(estimate).toEqual({
      scannedBytes: 8000,
      price: { amount: (8000 / 2 ** 40) * 6.25, currency: "USD" },
    });
    expect(server.submitted.map(({ dryRun }) => dryRun)).toEqual([true]);
  });
});
