import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { status } from "@grpc/grpc-js";
import fc from "fast-check";

import { createAgnes } from "agnes";
import { arrow, createRowBuilder, type Filter, type Row } from "agnes/kit";
import * as v from "valibot";

import { bigqueryOptions } from "../../plugins/bigquery/options.ts";
import { settingsOf } from "../../plugins/bigquery/settings.ts";
import plugin from "../../plugins/bigquery/plugin.ts";
import { fakeBigQuery, type FakeTable } from "../fakes/bigquery/mod.ts";
import { fakeStorage, type StorageRead } from "../fakes/bigquery/storage.ts";
import { temporaryFolder } from "../sync/workspace.ts";
import { ordersTable } from "./sample.ts";
import { connectBoth, large, rowsOf, sorted, type Both } from "./storage-support.ts";
import { rejection } from "./support.ts";

setDefaultTimeout(60_000);

const orders = (count: number, resource: Readonly<Record<string, unknown>> = {}): FakeTable => {
  const table = ordersTable(count);
  return large({ ...table, resource: { ...table.resource, ...resource } });
};
const denied = {
  code: status.PERMISSION_DENIED,
  message: "the user does not have 'bigquery.readsessions.create' permission",
};

describe("bigquery: which tables are read by a session", () => {
  test.each([
    ["a large table", {}, {}, 1],
    ["a large snapshot", { type: "SNAPSHOT" }, {}, 1],
    ["a large clone", { cloneDefinition: {} }, {}, 1],
    ["a small table", { numBytes: "10485759" }, {}, 0],
    ["a view", { type: "VIEW", numBytes: undefined }, {}, 0],
    ["a materialized view", { type: "MATERIALIZED_VIEW" }, {}, 0],
    ["an external table", { type: "EXTERNAL" }, {}, 0],
    ["a table with a streaming buffer", { streamingBuffer: { estimatedRows: "1" } }, {}, 0],
    ["a table of a source that does not use sessions", {}, { storageRead: false }, 0],
  ])("%s: %j", async (_name, resource, options, sessions) => {
    await using both = await connectBoth([orders(6, resource)], {}, options);
    expect(await both.read("shop.orders")).toHaveLength(6);
    expect([both.storage.sessions.length, both.server.inserted.length]).toEqual([
      sessions,
      sessions === 0 ? 2 : 0,
    ]);
  });

  test.each([
    [{}, "https://bigquerystorage.googleapis.com"],
    [{ universeDomain: "example.goog" }, "https://bigquerystorage.example.goog"],
    [{ storageEndpoint: "http://127.0.0.1:9060" }, "http://127.0.0.1:9060"],
    [{ storageRead: false, storageEndpoint: "http://127.0.0.1:9060" }, undefined],
    // The address beside another endpoint is not known.
    [{ apiEndpoint: "https://bigquery.example.com" }, undefined],
    [
      { apiEndpoint: "http://localhost:9050", storageEndpoint: "http://localhost:9060" },
      "http://localhost:9060",
    ],
  ])("with the options %j the endpoint is %s", (options, endpoint) => {
    const parsed = v.parse(bigqueryOptions, { project: "shop-1", ...options });
    expect(settingsOf(parsed, {}).storageEndpoint).toBe(endpoint);
  });

  test.each(["http://bigquery.example.com", "https://user@example.com", "https://example.com/v1"])(
    "%s is no endpoint",
    (storageEndpoint) => {
      const parsed = v.parse(bigqueryOptions, { project: "shop-1", storageEndpoint });
      expect(() => settingsOf(parsed, {})).toThrow("the option `storageEndpoint` is not valid");
    },
  );

  test("the session is paid by the billing project, and reads the columns in their order", async () => {
    await using both = await connectBoth([orders(6)], {}, { billingProject: "payer-1" });
    const rows = await both.read("shop.orders", { columns: ["ratio", "id"] });
    expect(Object.keys(rows[0]!)).toEqual(["ratio", "id"]);
    expect(both.storage.sessions[0]).toMatchObject({
      parent: "projects/payer-1",
      maxStreamCount: 4,
      readSession: {
        table: "projects/shop-1/datasets/shop/tables/orders",
        readOptions: { selectedFields: ["ratio", "id"], rowRestriction: "" },
      },
    });
  });
});

describe("bigquery: rows of a session", () => {
  test("are those of a job, for any conditions", async () => {
    await using sessions = await connectBoth([orders(40)], { batchRows: 7 });
    await using jobs = await connectBoth([orders(40)], {}, { storageRead: false });
    const values = {
      id: fc.constantFrom(0, 5, 39, "17"),
      customer: fc.constantFrom("Čapek '0' \\", "x", ""),
      amount: fc.constantFrom("3.25", 7, "1e3"),
      is_open: fc.boolean(),
      day: fc.constantFrom("2026-01-03", new Date("2026-01-28T00:00:00Z")),
      changed_at: fc.constantFrom("2026-01-01 00:00:05.000005+00", new Date("2026-01-01T00:00:09Z")),
      local_time: fc.constantFrom("2026-01-01 00:00:07.000001"),
      ratio: fc.constantFrom(0.5),
    } as const;
    const operator = fc.constantFrom("eq", "ne", "gt", "ge", "lt", "le", "is_null", "is_not_null");
    const condition = fc.oneof(
      ...Object.entries(values).map(([column, value]) =>
        fc.tuple(operator, fc.array(value as fc.Arbitrary<string>, { minLength: 1, maxLength: 2 })).map(
          ([own, list]): Filter =>
            ({
              column,
              operator: own,
              values: own.startsWith("is_") ? [] : list,
            }) as Filter,
        ),
      ),
    );
    const property = fc.asyncProperty(fc.array(condition, { maxLength: 3 }), async (filter) => {
      expect(await sessions.read("shop.orders", { filter })).toEqual(
        await jobs.read("shop.orders", { filter }),
      );
    });
    await fc.assert(property, { numRuns: 40 });
    expect(sessions.server.inserted.every(({ configuration }) => configuration.dryRun)).toBe(true);
    expect(jobs.storage.sessions).toEqual([]);
  });

  test.each([true, false])(
    "from a cursor on are exact to the microsecond, inclusive: %s",
    async (inclusive) => {
      await using both = await connectBoth([orders(10)]);
      const cursor = { column: "changed_at", value: "2026-01-01 00:00:05.000005+00", inclusive };
      const rows = await both.read("shop.orders", { cursor });
      expect(sorted(rows).map(({ id }) => Number(id))).toEqual(inclusive ? [5, 6, 7, 8, 9] : [6, 7, 8, 9]);
      const literal = "TIMESTAMP '2026-01-01 00:00:05.000005+00:00'";
      expect(both.storage.sessions[0]!.readSession!.readOptions!.rowRestriction).toBe(
        inclusive
          ? `(\`changed_at\` >= ${literal} OR \`changed_at\` IS NULL)`
          : `\`changed_at\` > ${literal}`,
      );
    },
  );

  test("from a cursor without a literal are read by a job", async () => {
    const table = large({
      dataset: "shop",
      id: "t",
      fields: [{ name: "id", type: "INTEGER" }],
      rows: [["1"]],
    });
    await using both = await connectBoth([table]);
    const cursor = { column: "id", value: "-9223372036854775808", inclusive: false };
    await both.read("shop.t", { cursor });
    expect([both.storage.sessions.length, both.server.inserted.length]).toEqual([0, 2]);
  });

  test("stop at the limit, if all conditions are sent", async () => {
    await using both = await connectBoth([orders(3000)], { batchRows: 10, streams: 1 });
    expect(await both.read("shop.orders", { limit: 15 })).toHaveLength(20);
    const filter = [{ column: "ratio", operator: "gt", values: [0] }] as const;
    expect(await both.read("shop.orders", { limit: 15, filter })).toHaveLength(3000);
  });

  test("of an empty table or an account without access to any row are none", async () => {
    await using both = await connectBoth([orders(0)]);
    expect(await both.read("shop.orders")).toEqual([]);
    expect(both.server.inserted).toEqual([]);
  });

  test("report progress, with the rows of the whole table", async () => {
    await using both = await connectBoth([orders(12)]);
    const progress: unknown[] = [];
    await both.read("shop.orders", { onProgress: (one) => progress.push(one) });
    const filter = [{ column: "id", operator: "ge", values: [6] }] as const;
    await both.read("shop.orders", { filter, onProgress: (one) => progress.push(one) });
    expect(progress).toEqual([{ phase: "reading", totalRows: 12 }, { phase: "reading" }]);
  });
});

describe("bigquery: jobs in place of sessions", () => {
  test("read all tables if the permission is missing", async () => {
    await using both = await connectBoth([orders(6)], { sessionErrors: [denied] });
    const first: readonly Row[] = await both.read("shop.orders");
    expect(await both.read("shop.orders")).toEqual(first);
    expect([first.length, both.storage.sessions.length, both.server.inserted.length]).toEqual([6, 1, 4]);
  });

  test("read a table whose condition is rejected, with an estimate of their own", async () => {
    const filter = [{ column: "id", operator: "ge", values: [4] }] as const;
    await using both = await connectBoth([orders(6)], { rejects: /id/ }, { maxBytesPerQuery: 19_999_999 });
    expect(await rejection(both.read("shop.orders", { filter }))).toMatchObject({
      code: "bigquery/scan_too_large",
      details: { scannedBytes: 20_000_000 },
    });
    expect(both.server.inserted.map(({ configuration }) => configuration.dryRun)).toEqual([true, true]);
    await using roomy = await connectBoth([orders(6)], { rejects: /id/ });
    expect(await roomy.read("shop.orders", { filter })).toHaveLength(2);
  });

  const MIB = 1024 ** 2;
  test.each([
    ["reads a fifth or less", 100 * MIB, 20 * MIB - 1, 5 * 1024 * MIB, "job"],
    ["reads more than a fifth", 100 * MIB, 20 * MIB, 5 * 1024 * MIB, "session"],
    ["bills the least bytes", 50 * MIB, 0, 5 * 1024 * MIB, "session"],
    ["is the only one within the limit", 100 * MIB, 50 * MIB, 60 * MIB, "job"],
    ["is above the limit too", 100 * MIB, 70 * MIB, 60 * MIB, "bigquery/scan_too_large"],
  ])("read a table with a condition if a job %s", async (_name, session, job, limit, way) => {
    const script = { estimatedBytes: session };
    await using both = await connectBoth([orders(6)], script, { maxBytesPerQuery: limit });
    both.server.script.dryRun = { totalBytesProcessed: String(job) };
    const filter = [{ column: "id", operator: "ge", values: [4] }] as const;
    const found = both.read("shop.orders", { filter });
    if (way.startsWith("bigquery/")) {
      expect(await rejection(found)).toMatchObject({ code: way, details: { scannedBytes: session } });
      return;
    }
    expect(await found).toHaveLength(2);
    expect(both.storage.reads.length > 0 ? "session" : "job").toBe(way);
  });

  test("are not estimated for a whole table, and need no permission for it", async () => {
    await using both = await connectBoth([orders(6)]);
    await both.read("shop.orders");
    expect(both.server.inserted).toEqual([]);
    const error = { reason: "accessDenied", message: "no bigquery.jobs.create", status: 403 };
    both.server.script.rejections.push({ path: "/jobs", error });
    const filter = [{ column: "id", operator: "ge", values: [4] }] as const;
    expect(await both.read("shop.orders", { filter })).toHaveLength(2);
    expect(both.server.inserted).toEqual([]);
  });

  test("read a table with a column that has no exact form in Arrow", async () => {
    const fields = [{ name: "period", type: "RANGE", rangeElementType: { type: "DATE" } }];
    const table = large({ dataset: "shop", id: "t", fields, rows: [["[2020-01-01, 2021-01-01)"]] });
    await using both = await connectBoth([table]);
    expect(await both.read("shop.t")).toEqual([{ period: "[2020-01-01, 2021-01-01)" }]);
    expect(both.server.inserted).toHaveLength(2);
  });
});

describe("bigquery: results of jobs", () => {
  const ROWS = 100_000;
  const SQL = "SELECT `id`, `amount` FROM a_registered_result";
  const fields = [
    { name: "id", type: "INTEGER" },
    { name: "amount", type: "NUMERIC" },
  ];
  const query = async ({ server, connected }: Both, count: number) => {
    const rows = Array.from({ length: count }, (_, id) => [String(id), `${id}.5`]);
    server.results.set(SQL, { fields, rows });
    const { schema, batches } = await connected.connector.query!(SQL, {
      signal: new AbortController().signal,
    });
    const builder = createRowBuilder({ name: "result", schema });
    const found: arrow.RecordBatch[] = [];
    for await (const batch of batches!)
      found.push(...(batch instanceof arrow.RecordBatch ? [batch] : builder.append(batch as readonly Row[])));
    return [...found, ...builder.finish()].flatMap(rowsOf);
  };
  const expected = (id: number) => ({ id: String(id), amount: `${id}500000000`.replace(/^0/, "") });

  test("that are large are read by one stream, which keeps their order, and without a limit of bytes", async () => {
    await using both = await connectBoth([], { batchRows: 9999, estimatedBytes: 0 }, { maxBytesPerQuery: 1 });
    const rows = await query(both, ROWS);
    expect(rows).toHaveLength(ROWS);
    expect(rows.every(({ id }, at) => id === String(at))).toBe(true);
    expect(rows.at(-1)).toEqual(expected(ROWS - 1));
    expect(both.storage.sessions.map(({ maxStreamCount }) => maxStreamCount)).toEqual([1]);
    expect(both.storage.sessions[0]!.readSession!.table).toContain("/datasets/_results/tables/");
    expect(both.server.requests.filter(({ url }) => String(url).includes("pageToken"))).toEqual([]);
  });

  test("that are small, or whose session is denied, are read by pages", async () => {
    await using both = await connectBoth([], { sessionErrors: [denied] });
    expect((await query(both, ROWS - 1)).at(-1)).toEqual(expected(ROWS - 2));
    expect(both.storage.sessions).toEqual([]);
    expect((await query(both, ROWS)).at(-1)).toEqual(expected(ROWS - 1));
    expect(both.storage.sessions).toHaveLength(1);
  });

  test("that are incomplete are an error", async () => {
    const cut = ({ attempt }: StorageRead, at: number) => (at === 3 || attempt > 1 ? "end" : null);
    await using both = await connectBoth([], { batchRows: 9999, cut });
    expect(await rejection(query(both, ROWS))).toMatchObject({
      code: "bigquery/result_incomplete",
      details: { rows: 29_997, totalRows: ROWS },
    });
  });

  test("of a view have the types that are registered", async () => {
    const view = {
      dataset: "shop",
      id: "v",
      fields: [{ name: "amount", type: "NUMERIC", precision: "12", scale: "2" }],
      resource: { type: "VIEW" },
    };
    await using both = await connectBoth([view]);
    const sql = "SELECT `amount` FROM `shop-1`.`shop`.`v`";
    const rows = Array.from({ length: ROWS }, (_, id) => [`${id}.25`]);
    // A result does not have the digits of a column.
    both.server.results.set(sql, { fields: [{ name: "amount", type: "NUMERIC" }], rows });
    both.server.script.dryRun = { totalBytesProcessed: "1000" };
    const info = (await both.connected.tables()).get("shop.v")!;
    const batches = both.connected.connector.read!(info, {
      batchRows: 100,
      signal: new AbortController().signal,
    });
    const [first] = await Array.fromAsync(batches as AsyncIterable<arrow.RecordBatch>);
    expect(String(first!.schema.fields[0]!.type)).toBe("Decimal[12e+2]");
    expect(rowsOf(first!)[1]).toEqual({ amount: "125" });
  });
});

describe("bigquery: a workspace with sessions", () => {
  test("a large table is synced, with cut streams, and queried", async () => {
    const tables = [orders(500)];
    await using server = fakeBigQuery({ tables });
    const unavailable = { code: status.UNAVAILABLE, message: "Connection reset" };
    await using storage = await fakeStorage({
      tables,
      script: { batchRows: 50, cut: ({ attempt }, at) => (attempt === 1 && at === 1 ? unavailable : null) },
    });
    using folder = temporaryFolder();
    const source = {
      plugin: "bigquery",
      options: { project: server.project, storageEndpoint: storage.url },
    };
    await using agnes = await createAgnes({
      workspace: folder.path,
      plugins: [plugin],
      host: { fetch: server.fetch, env: { BIGQUERY_SERVICE_ACCOUNT_JSON: server.signIn.serviceAccount } },
      config: { version: 1, sources: { bq: source } },
    });
    const registry = await agnes.tables();
    await registry.register({ source: "bq", sourceTable: "shop.orders", name: "orders" });
    await agnes.sync();
    const sql =
      "SELECT count(*)::INT AS n, count(DISTINCT id)::INT AS ids, sum(amount)::VARCHAR AS total, " +
      "max(changed_at)::VARCHAR AS last, sum(len(lines))::INT AS lines, count(*) FILTER (isnan(ratio))::INT AS nans FROM orders";
    expect(await agnes.rows(sql)).toEqual([
      { n: 500, ids: 500, total: "124875.00", last: "2026-01-01 00:08:19.000499+00", lines: 499, nans: 125 },
    ]);
    expect(storage.reads).toHaveLength(6);
    // The check of the source's health is a dry run.
    expect(server.inserted.map(({ configuration }) => configuration.dryRun)).toEqual([true]);
  });
});
