import { expect, test } from "bun:test";

import { definePlugin, table, utf8, type Capability, type TableInfo } from "agnes/kit";
import { connectorContract, runCases } from "agnes/testing";
import * as v from "valibot";

/** Runs SQL over the table people. */
function pluginWith(...capabilities: Capability[]) {
  return definePlugin({
    name: "sql",
    version: "1.0.0",
    description: "Answers SQL",
    capabilities,
    options: v.strictObject({}),
    secrets: {},
    connect: ({ duckdb }: { duckdb: { query: (sql: string, options: object) => unknown } }) => ({
      ...(capabilities.includes("discover") && { discover: async () => [table("people", { name: utf8() })] }),
      ...(capabilities.includes("metadata") && {
        metadata: async (asked: readonly TableInfo[]) =>
          asked.flatMap(({ name }) => (name === "people" ? [{ name, rows: 1 }] : [])),
      }),
      ...(capabilities.includes("query") && {
        query: (sql: string, { signal }: { signal: AbortSignal }) =>
          duckdb.query(`WITH people AS (SELECT 'Ada' AS name) SELECT * FROM (${sql})`, { signal }),
        estimate: async (sql: string) =>
          sql === "SELECT 1 AS one"
            ? {}
            : {
                rows: sql.includes("LIMIT") ? 0 : 1,
                scannedBytes: 5000,
                price: { amount: 0.05, currency: "USD" },
              },
      }),
    }),
  } as never);
}

const listing = "discover() lists named and typed tables";
const estimating = "estimate() returns plausible figures";
const answering = "query() works for the configured tables";

test.each([
  [["query"], [answering]],
  [
    ["discover", "query"],
    [listing, answering, estimating],
  ],
  [["discover", "metadata"], [listing]],
] as const)(
  "connectorContract() reports a missing table of the configuration, with %p",
  async (capabilities, failing) => {
    const resultsOf = async (...tables: string[]) => {
      const cases = connectorContract(pluginWith(...capabilities), { tables });
      const results = await runCases(cases, {});
      return results.filter(({ ok }) => !ok).map(({ name }) => name);
    };
    expect(await resultsOf("people")).toEqual([]);
    expect(await resultsOf("people", "nosuch")).toEqual([...failing]);
  },
);

test("connectorContract() reports the estimates of the configured tables, or that of its query", async () => {
  const remarksOf = async (tables: readonly string[]) => {
    const cases = connectorContract(pluginWith("discover", "query"), { tables });
    const results = await runCases(cases.filter(({ name }) => name.startsWith("estimate()")));
    return results.map(({ ok, remark }) => ({ ok, remark }));
  };
  const whole = "estimates of whole tables: people: 1 row, 5000 bytes scanned, 0.05 USD";
  expect(await remarksOf(["people"])).toEqual([{ ok: true, remark: whole }]);
  const one = "estimate of SELECT 1 AS one: nothing is known";
  expect(await remarksOf([])).toEqual([{ ok: true, remark: one }]);
});
