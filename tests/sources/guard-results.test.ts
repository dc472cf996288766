import { describe, expect, test } from "bun:test";
import { inspect } from "node:util";

import { int64, permanent, toSchema } from "agnes/kit";

import { numbers } from "../plugins/example.ts";
import { connectTo, drain, failureOf } from "./example.ts";

const signal = new AbortController().signal;
const readOptions = { batchRows: 10, signal };

describe("a connector's results", () => {
  test.each([
    [{ id: "" }, '"" as id, which is not the id of a job'],
    [{ id: "a" }, "undefined as status, which is not running, done, failed, cancelled"],
    [{ id: "a", status: "ok" }, '"ok" as status'],
    [{ id: "a", status: "done", billedBytes: -1 }, "-1 as billedBytes, which is not a non-negative integer"],
    [{ id: "a", status: "done", processedBytes: 0.5 }, "0.5 as processedBytes"],
    [{ id: "a", status: "done", slotMs: "5" }, '"5" as slotMs'],
    [{ id: "a", status: "done", isCached: 1 }, "1 as isCached, which is not a boolean"],
    [{ id: "a", status: "done", price: { amount: 1 } }, "undefined as price.currency"],
    [{ id: "a", status: "done", bytes: "s3cret-value" }, 'the job has the unknown field "bytes"'],
    [{ id: 5, status: "done" }, "it reported 5 as id"],
  ])("a job %p is a failure of the plugin", async (job, reason) => {
    const { connector: c } = await connectTo(
      {
        query: async (_sql, { onJob }) => {
          onJob!(job as never);
          return { schema: numbers.schema, parts: [] };
        },
      },
      ["query"],
      { TOKEN: "s3cret-value" },
    );
    const error = await failureOf(c.query!("SELECT 1", { signal, onJob: () => {} }));
    expect(error).toMatchObject({ code: "plugin_failed", message: expect.stringContaining(reason) });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain("s3cret-value");
  });

  test("a job is reported without secrets, as it was at that time", async () => {
    const price = { amount: 1, currency: "EUR" };
    const job = { id: "job of s3cret-value", status: "done" as const, price };
    const { connector: c } = await connectTo(
      {
        async *read(_table, { onJob }) {
          onJob?.(job);
          price.amount = 2;
          yield [];
        },
      },
      ["read"],
      { TOKEN: "s3cret-value" },
    );
    const jobs: unknown[] = [];
    await drain(c.read!(numbers, { ...readOptions, onJob: (one) => void jobs.push(one) }));
    expect(jobs).toEqual([
      { id: "job of [redacted]", status: "done", price: { amount: 1, currency: "EUR" } },
    ]);
  });

  test.each([
    [
      5,
      "5 as the estimate, which is not an object; its fields are rows, scannedBytes, maxScannedBytes, price",
    ],
    [[], " as the estimate, which is not an object"],
    ["x", '"x" as the estimate'],
    [null, "null as the estimate"],
    [undefined, "undefined as the estimate"],
    [{ rows: -1 }, "-1 as rows, which is not a non-negative integer"],
    [{ rows: 1.5 }, "1.5 as rows"],
    [{ rows: 5n }, "5 as rows"],
    [{ rows: null }, "null as rows"],
    [{ rows: Number.POSITIVE_INFINITY }, "Infinity as rows"],
    [{ scannedBytes: "5 GB" }, '"5 GB" as scannedBytes'],
    [{ scannedBytes: 0.5 }, "0.5 as scannedBytes"],
    [{ maxScannedBytes: -1 }, "-1 as maxScannedBytes"],
    [{ scanedBytes: 1 }, 'the unknown field "scanedBytes"; did you mean "scannedBytes"?'],
    [{ rows: 1, note: "s3cret-value" }, 'the unknown field "note"; its fields are'],
    [{ rows: "s3cret-value" }, '"[redacted]" as rows'],
    [{ price: null }, "null as price, which is not an object"],
    [{ price: 5 }, "5 as price"],
    [{ price: { currency: "EUR" } }, "undefined as price.amount, which is not a non-negative number"],
    [{ price: { amount: Number.NaN, currency: "USD" } }, "NaN as price.amount"],
    [{ price: { amount: 1 } }, "undefined as price.currency"],
    [{ price: { amount: 1, currency: "$" } }, '"$" as price.currency, which is not an ISO 4217 code'],
    [{ price: { amount: 1, currency: ["EUR"] } }, "EUR as price.currency"],
    [
      { price: { amount: 1, currency: "EUR", unit: "TB" } },
      'price of the estimate has the unknown field "unit"',
    ],
    [{ schema: { id: "int64" } }, "as schema, which is not an Arrow schema"],
    [{ schema: null }, "null as schema, which is not an Arrow schema"],
    [
      { schema: toSchema({ "s3cret-value": int64() }) },
      "the name of a column contains the value of a secret",
    ],
    [{ statementType: 5 }, "5 as statementType, which is not the kind of a statement"],
    [{ statementType: "" }, '"" as statementType'],
    [{ referencedTables: "a" }, '"a" as referencedTables, which is not a list of names of tables'],
    [{ referencedTables: ["a", 5] }, "a,5 as referencedTables"],
    [{ problem: "too large" }, '"too large" as problem, which is not an error'],
  ])("estimate() that returns %p is a failure of the plugin", async (estimate, reason) => {
    const { connector: c } = await connectTo(
      { query: async () => ({ schema: numbers.schema, parts: [] }), estimate: async () => estimate as never },
      ["query"],
      { TOKEN: "s3cret-value" },
    );
    const error = await failureOf(c.estimate!("SELECT 1", { signal }));
    expect(error).toMatchObject({ code: "plugin_failed", message: expect.stringContaining(reason) });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain("s3cret-value");
  });

  test.each([{}, { rows: 0 }, { rows: 7, scannedBytes: 9, price: { amount: 0.5, currency: "EUR" } }])(
    "estimate() passes on %p",
    async (estimate) => {
      const query = async () => ({ schema: numbers.schema, parts: [] });
      const { connector: c } = await connectTo({ query, estimate: async () => estimate }, ["query"]);
      expect(await c.estimate!("SELECT 1", { signal })).toEqual(estimate);
    },
  );

  test("estimate() passes on the facts of the SQL, and its problem as the failure of query()", async () => {
    const facts = { schema: numbers.schema, statementType: "SELECT", referencedTables: ["a.b"] };
    const problem = permanent("needs s3cret-value");
    const { connector: c } = await connectTo(
      {
        query: async () => ({ schema: numbers.schema, parts: [] }),
        estimate: async () => ({ ...facts, problem }),
      },
      ["query"],
      { TOKEN: "s3cret-value" },
    );
    const estimate = await c.estimate!("SELECT 1", { signal });
    expect(estimate).toMatchObject(facts);
    expect(estimate.problem).toMatchObject({
      code: "plugin_failed",
      details: { operation: "query", reason: "needs [redacted]" },
    });
  });

  test.each([
    [{ tableRows: -1 }, "it returned -1 as tableRows, which is not a non-negative integer"],
    [{ stat: 1 }, 'the read result has the unknown field "stat"; did you mean "state"?'],
    [
      { state: 1, cursor: 2 },
      'the unknown field "cursor"; its fields are unchanged, state, kept, isWhole, tableRows',
    ],
    [{ isWhole: 1 }, "it returned 1 as isWhole, which is not a boolean"],
    [{ "s3cret-value": 1 }, 'the unknown field "[redacted]"'],
    ["done", '"done" as the read result, which is not an object'],
    [null, "null as the read result"],
  ])("read() that returns %p is a failure of the plugin", async (result, reason) => {
    const read = async function* () {
      yield [{ n: 1 }];
      return result as never;
    };
    const { connector: c } = await connectTo({ read }, ["read"], { TOKEN: "s3cret-value" });
    const error = await failureOf(drain(c.read!(numbers, readOptions)));
    expect(error).toMatchObject({
      code: "plugin_failed",
      message: expect.stringContaining(reason),
      details: { operation: "read", table: "numbers" },
    });
  });
});
