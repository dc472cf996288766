import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";

import { arrow } from "agnes/kit";

import { duckdbTypeOf } from "../../lib/duckdb/mod.ts";
import type { FakeBigQuery } from "../fakes/bigquery/mod.ts";
import { connect } from "../plugins-bigquery/support.ts";
import { openEmulator, type Emulator } from "./bigquery-emulator.ts";

setDefaultTimeout(600_000);

/** Not BIGNUMERIC, and no precision: the emulator does not create the one and loses the other. */
const FIELDS = [
  { name: "id", type: "INTEGER", mode: "REQUIRED" },
  { name: "amount", type: "NUMERIC" },
  { name: "ratio", type: "FLOAT" },
  { name: "is_open", type: "BOOLEAN" },
  { name: "note", type: "STRING" },
  { name: "day", type: "DATE" },
  { name: "at", type: "TIMESTAMP" },
  { name: "local_at", type: "DATETIME" },
  { name: "numbers", type: "INTEGER", mode: "REPEATED" },
];
const TYPES = {
  id: "BIGINT",
  amount: "DECIMAL(38,9)",
  ratio: "DOUBLE",
  is_open: "BOOLEAN",
  note: "VARCHAR",
  day: "DATE",
  at: "TIMESTAMP WITH TIME ZONE",
  local_at: "TIMESTAMP",
  numbers: "BIGINT[]",
};
const ROWS = `(1, NUMERIC '10.25', 0.5, true, 'Čapek', DATE '2026-01-31', TIMESTAMP '2026-01-31 10:00:00.123456+00',
  DATETIME '2026-01-31 10:00:00.000001', [1, 2]), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, [])`;

describe("bigquery: the emulator", () => {
  let emulator: Emulator;
  beforeAll(async () => {
    emulator = await openEmulator();
    await emulator.post("/datasets", {
      datasetReference: { projectId: "p-1", datasetId: "shop" },
      location: "US",
    });
    const tableReference = { projectId: "p-1", datasetId: "shop", tableId: "orders" };
    await emulator.post("/datasets/shop/tables", { tableReference, schema: { fields: FIELDS } });
    const names = FIELDS.map(({ name }) => `\`${name}\``).join(", ");
    const query = `INSERT INTO \`p-1\`.\`shop\`.\`orders\` (${names}) VALUES ${ROWS}`;
    await emulator.post("/queries", { query, useLegacySql: false });
  });
  afterAll(() => emulator[Symbol.asyncDispose]());

  /** The emulator does not report how accurate its estimate is, and without that nothing is run. */
  const fetchOf = async (url: string, init: RequestInit) => {
    const response = await fetch(url, init);
    if (!url.endsWith("/jobs") || !response.ok) return response;
    const job = (await response.json()) as { statistics: { query?: object } };
    const query = { totalBytesProcessedAccuracy: "PRECISE", ...job.statistics.query };
    return Response.json({ ...job, statistics: { ...job.statistics, query } });
  };
  const open = () => {
    const server = { fetch: fetchOf, project: "p-1", signIn: { serviceAccount: "{}" } };
    return connect(server as unknown as FakeBigQuery, { apiEndpoint: emulator.url });
  };

  test("discover and query return the same types", async () => {
    const { tables, connector } = await open();
    const info = (await tables()).get("shop.orders")!;
    expect(info.problem).toBeUndefined();
    const typesOf = (schema: typeof info.schema) =>
      Object.fromEntries(schema.fields.map((field) => [field.name, duckdbTypeOf(field)]));
    expect(typesOf(info.schema)).toEqual(TYPES as never);
    const { schema } = await connector.query!("SELECT * FROM `p-1`.`shop`.`orders`", {
      signal: new AbortController().signal,
    });
    expect(typesOf(schema)).toEqual(TYPES as never);
  });

  test("read and query return the values", async () => {
    const { read, query } = await open();
    const first = {
      id: "1",
      ratio: 0.5,
      is_open: "true",
      note: "Čapek",
      day: "2026-01-31",
      at: "2026-01-31T10:00:00.123456Z",
      local_at: "2026-01-31T10:00:00.000001",
      numbers: ["1", "2"],
    };
    const rows = await read("shop.orders");
    expect(rows).toHaveLength(2);
    expect(rows.find(({ id }) => id === "1")).toMatchObject(first);
    expect(Number(rows.find(({ id }) => id === "1")!["amount"])).toBe(10.25);
    expect(rows.find(({ id }) => id === "2")).toMatchObject({ amount: null, at: null, numbers: [] });
    const selected = await query("SELECT id, note FROM `p-1`.`shop`.`orders` WHERE note = @note", {
      parameters: { note: "Čapek" },
    });
    expect(selected).toEqual([{ id: "1", note: "Čapek" }]);
  });

  test("an array is a list of its type, also without values", async () => {
    const { query } = await open();
    const sql = "SELECT id FROM `p-1`.`shop`.`orders` WHERE id IN UNNEST(@keys)";
    const ids = (values: readonly bigint[]) =>
      query(sql, { parameters: { keys: { type: new arrow.Int64(), values } } });
    expect(await ids([1n, 7n])).toEqual([{ id: "1" }]);
    expect(await ids([])).toEqual([]);
    const days = { type: new arrow.DateDay(), values: ["2026-01-31", "2026-02-01"] };
    const byDay = "SELECT id FROM `p-1`.`shop`.`orders` WHERE day IN UNNEST(@keys)";
    expect(await query(byDay, { parameters: { keys: days } })).toEqual([{ id: "1" }]);
    const moments = {
      type: new arrow.TimestampMicrosecond("UTC"),
      values: ["2026-01-31 10:00:00.123456+00"],
    };
    const byMoment = "SELECT id FROM `p-1`.`shop`.`orders` WHERE `at` IN UNNEST(@keys)";
    expect(await query(byMoment, { parameters: { keys: moments } })).toEqual([{ id: "1" }]);
    const amounts = { type: new arrow.Decimal(2, 12, 128), values: ["10.25"] };
    const byAmount = "SELECT id FROM `p-1`.`shop`.`orders` WHERE amount IN UNNEST(@keys)";
    expect(await query(byAmount, { parameters: { keys: amounts } })).toEqual([{ id: "1" }]);
  });

  test("estimate() states the columns of a query", async () => {
    const { connector } = await open();
    const { signal } = new AbortController();
    const { schema } = await connector.estimate!("SELECT * FROM `p-1`.`shop`.`orders`", { signal });
    expect(Object.fromEntries(schema!.fields.map((field) => [field.name, duckdbTypeOf(field)]))).toEqual(
      TYPES,
    );
  });

  // The cases of an independent corpus that tests BigQuery clients of several languages: goccy/bigquery-emulator.
  test.each<[string, object[]]>([
    ["SELECT 1 AS value", [{ value: "1" }]],
    [
      "SELECT 42 AS int_col, 3.5 AS float_col, 'hello' AS str_col, true AS bool_col",
      [{ int_col: "42", float_col: 3.5, str_col: "hello", bool_col: "true" }],
    ],
    ["SELECT CAST(NULL AS INT64) AS n", [{ n: null }]],
    ["SELECT [1, 2, 3] AS arr", [{ arr: ["1", "2", "3"] }]],
    ["SELECT STRUCT(1 AS a, 'x' AS b) AS s", [{ s: { a: "1", b: "x" } }]],
    ["SELECT n FROM UNNEST([10, 20, 30]) AS n ORDER BY n", [{ n: "10" }, { n: "20" }, { n: "30" }]],
    ["SELECT COUNT(*) AS cnt, SUM(n) AS total FROM UNNEST([1, 2, 3, 4]) AS n", [{ cnt: "4", total: "10" }]],
    ["SELECT DATE '2024-03-15' AS d", [{ d: "2024-03-15" }]],
    ["SELECT TIMESTAMP '2024-03-15 12:34:56 UTC' AS ts", [{ ts: "2024-03-15T12:34:56.000Z" }]],
  ])("query: %s", async (sql, rows) => {
    const { query } = await open();
    expect(await query(sql)).toEqual(rows as never);
  });

  test("rows that were just streamed in are read", async () => {
    const tableReference = { projectId: "p-1", datasetId: "shop", tableId: "streamed" };
    const fields = ["id", "value"].map((name) => ({ name, type: "STRING", mode: "REQUIRED" }));
    await emulator.post("/datasets/shop/tables", { tableReference, schema: { fields } });
    const rows = [
      { id: "1", value: "hello" },
      { id: "2", value: "world" },
    ];
    await emulator.post("/datasets/shop/tables/streamed/insertAll", {
      rows: rows.map((json) => ({ json })),
    });
    const { query } = await open();
    expect(await query("SELECT id, value FROM `p-1`.`shop`.`streamed` ORDER BY id")).toEqual(rows);
  });
});
