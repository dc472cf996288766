import { describe, expect, test } from "bun:test";

import { fakeKeboola, type KeboolaScript } from "../fakes/keboola/mod.ts";
import { call, exportedLines } from "./support.ts";

function project(script: KeboolaScript = {}) {
  const keboola = fakeKeboola(script);
  keboola.host({ startsAt: new Date("2026-11-25T09:00:00Z") });
  const texts = [
    ["1", "9", "2026-11-20"],
    ["2", "10", "2026-11-24 12:00:00"],
    ["3", "", "never"],
  ];
  const rows = texts.map(([id, amount, day]) => ({ id: id!, amount: amount!, day: day! }));
  keboola.storage.createTable("in.c-main.orders", { columns: ["id", "amount", "day"], rows });
  keboola.storage.createTable("in.c-main.typed", {
    columns: [
      { name: "id", type: "NUMBER" },
      { name: "amount", type: "NUMBER", length: "38,2" },
    ],
    rows: [{ id: "1", amount: "9.00" }, { id: "2", amount: "10.00" }, { id: "3" }],
  });
  const ids = async (filter: object, table = "orders") =>
    (await exportedLines(keboola, `in.c-main.${table}`, { columns: "id", whereFilters: [filter] })).map(
      (line) => line.replaceAll('"', ""),
    );
  const refusal = async (options: { readonly json?: unknown; readonly form?: string }) => {
    const { status, body } = await call(keboola, "/tables/in.c-main.orders/export-async", options);
    return [status, body["error"]];
  };
  return { keboola, ids, refusal };
}

describe("fakeKeboola() filters", () => {
  test("as text without a data type, as numbers with one", async () => {
    const { ids } = project();
    expect(await ids({ column: "amount", operator: "gt", values: ["10"] })).toEqual(["1"]);
    expect(await ids({ column: "amount", operator: "ge", values: ["10"], dataType: "INTEGER" })).toEqual([
      "2",
    ]);
    expect(await ids({ column: "amount", values: ["9", "10"] })).toEqual(["1", "2"]);
    expect(await ids({ column: "amount", operator: "ne", values: ["9"] })).toEqual(["2", "3"]);
    expect(await ids({ column: "amount", operator: "lt", values: ["10.5"], dataType: "DOUBLE" })).toEqual([
      "1",
      "2",
    ]);
  });

  test("text by code points, as the bytes of UTF-8", async () => {
    const keboola = fakeKeboola();
    // The first unit of the second in UTF-16 is smaller than that of the first.
    const values = ["\uE000", "\u{1F600}"];
    const rows = values.map((id) => ({ id }));
    keboola.storage.createTable("in.c-main.texts", { columns: ["id"], rows });
    for (const [operator, expected] of [
      ["gt", "\u{1F600}"],
      ["lt", ""],
    ] as const) {
      const whereFilters = [{ column: "id", operator, values: ["\uE000"] }];
      const lines = await exportedLines(keboola, "in.c-main.texts", { whereFilters });
      expect(lines.join("")).toBe(expected === "" ? "" : `"${expected}"`);
    }
  });

  test("columns with types by their type, where null never matches", async () => {
    const { ids } = project();
    expect(await ids({ column: "amount", operator: "ge", values: ["10"] }, "typed")).toEqual(["2"]);
    expect(await ids({ column: "amount", values: ["9"] }, "typed")).toEqual(["1"]);
    expect(await ids({ column: "amount", operator: "ne", values: ["9"] }, "typed")).toEqual(["2"]);
  });

  test("by time, as text, Unix time or relative", async () => {
    const { ids, refusal } = project();
    const since = (value: string) => ({
      column: "day",
      operator: "ge",
      values: [value],
      type: "TIME_STRING",
    });
    expect(await ids(since("2026-11-24 12:00:00"))).toEqual(["2"]);
    expect(await ids(since("1763596800"))).toEqual(["1", "2"]);
    expect(await ids(since("-2 days"))).toEqual(["2"]);
    const both = { ...since("-2 days"), dataType: "INTEGER" };
    expect(await refusal({ json: { whereFilters: [both] } })).toEqual([
      400,
      expect.stringContaining("dataType"),
    ]);
  });

  test("by equality only on BigQuery", async () => {
    const { ids, refusal } = project({ backend: "bigquery" });
    expect(await ids({ column: "amount", values: ["9"] })).toEqual(["1"]);
    for (const operator of ["gt", "ge", "lt", "le"])
      expect(await refusal({ json: { whereFilters: [{ column: "id", operator, values: ["1"] }] } })).toEqual([
        400,
        expect.stringContaining("Snowflake"),
      ]);
  });

  test("of a form with PHP's keys, and never JSON inside a form", async () => {
    const { keboola, refusal } = project();
    const filter = "whereFilters[0][column]=amount&whereFilters[0][operator]=eq&whereFilters[0][values][]=9";
    const form = filter.replaceAll("[", "%5B").replaceAll("]", "%5D");
    const { status, body } = await call(keboola, "/tables/in.c-main.orders/export-async", { form });
    expect(status).toBe(202);
    expect(body["operationParams"]).toMatchObject({
      export: { whereFilters: [{ column: "amount", operator: "eq", values: ["9"] }] },
    });
    const json = JSON.stringify([{ column: "amount", values: ["9"] }]);
    const text = new URLSearchParams({ whereFilters: json }).toString();
    expect(await refusal({ form: text })).toEqual([400, expect.stringContaining("array")]);
    expect(await refusal({ json: { whereFilters: json } })).toEqual([400, expect.stringContaining("array")]);
  });

  test("refuses columns, operators and parameters that do not exist", async () => {
    const { refusal } = project();
    for (const json of [
      { columns: "id,nothing" },
      { columns: ["id"] },
      { whereFilters: [{ column: "nothing", values: ["1"] }] },
      { whereFilters: [{ column: "id", operator: "like", values: ["1"] }] },
      { whereFilters: [{ column: "id", values: [] }] },
      { whereFilters: [{ column: "id", values: ["1"], dataType: "BIGINT" }] },
      { whereFilters: [{ column: "id", values: ["1"], type: "TEXT" }] },
      { where_filters: [] },
      { changedSince: "some day" },
      { fileType: "avro" },
    ])
      expect((await refusal({ json }))[0]).toBe(400);
  });
});
