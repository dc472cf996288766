import { describe, expect, test } from "bun:test";

import { extractionSettings, folderOf, sourceTableOf } from "../../lib/tables/mod.ts";
import { resolveFilters } from "../../lib/tables/filters.ts";
import { discovered, memoryRegistry } from "./registry-setup.ts";

const now = new Date("2026-03-31T12:00:00Z");

describe("extractionSettings()", () => {
  test("uses the key and cursor of the source if the record has none", async () => {
    await using registry = await memoryRegistry();
    const { table } = await registry.register({
      source: "crm",
      sourceTable: "orders",
      syncStrategy: "incremental",
    });
    const info = discovered("orders", { cursor: "updated_at", description: "theirs" });
    expect(extractionSettings(table, info, now)).toEqual({
      id: "crm.orders",
      name: "orders",
      mode: "local",
      strategy: "incremental",
      primaryKey: ["id"],
      cursor: "updated_at",
      schemaPolicy: "evolve",
      invalidValues: "fail",
      quarantine: false,
      quarantineMaxPercent: 5,
      description: "theirs",
    });
    const own = { primaryKey: ["email"], incrementalColumn: "id", description: "ours" };
    const { table: changed } = await registry.update("crm.orders", own);
    expect(extractionSettings(changed, info, now)).toMatchObject({
      primaryKey: ["email"],
      cursor: "id",
      description: "ours",
    });
    const { table: full } = await registry.update("crm.orders", { syncStrategy: null });
    expect(extractionSettings(full, info, now)).not.toHaveProperty("cursor");
  });

  test("returns all other settings, months for partitions, and dates for placeholders", async () => {
    await using registry = await memoryRegistry();
    const info = discovered("orders");
    const { table } = await registry.register({
      source: "crm",
      sourceTable: "orders",
      syncStrategy: "partitioned",
      partitionBy: "updated_at",
      columns: ["id", "updated_at"],
      schemaPolicy: "freeze",
      quarantine: true,
      quarantineMaxPercent: 0.5,
      incrementalWindowDays: 7,
      fullKeys: "every 12h",
      maxHistoryDays: 365,
      initialLoadChunkDays: 30,
      bucket: "sales",
    });
    expect(extractionSettings(table, info, now)).toMatchObject({
      strategy: "partitioned",
      partitionBy: "updated_at",
      partitionGranularity: "month",
      columns: ["id", "updated_at"],
      schemaPolicy: "freeze",
      quarantine: true,
      quarantineMaxPercent: 0.5,
      windowDays: 7,
      fullKeysMs: 12 * 60 * 60 * 1000,
      historyDays: 365,
      chunkDays: 30,
      bucket: "sales",
    });
    const { table: filtered } = await registry.update("crm.orders", {
      syncStrategy: null,
      fullKeys: null,
      quarantine: null,
      invalidValues: "set_null",
      columns: null,
      queryMode: "materialized",
      sourceQuery: "select 1",
      whereFilters: [
        { column: "updated_at", operator: "ge", values: ["{{last_week}}"] },
        { column: "id", values: [1, 2] },
      ],
    });
    const settings = extractionSettings(filtered, info, now);
    expect(settings).toMatchObject({
      mode: "materialized",
      query: "select 1",
      invalidValues: "set_null",
      filter: [
        { column: "updated_at", operator: "ge", values: ["2026-03-24"] },
        { column: "id", operator: "eq", values: [1, 2] },
      ],
    });
    expect(settings).not.toHaveProperty("partitionBy");
  });
});

describe("resolveFilters()", () => {
  const cases = [
    ["{{today}}", "2026-03-31"],
    ["{{ last_month }}", "2026-03-01"],
    ["{{last_2_months}}", "2026-01-30"],
    ["{{last_3_months}}", "2025-12-31"],
    ["{{last_6_months}}", "2025-10-02"],
    ["{{last_year}}", "2025-03-31"],
    ["{{last_2_years}}", "2024-03-31"],
    ["{{start_of_3_months_ago}}", "2025-12-01"],
    ["from {{today}} to {{today}}", "from 2026-03-31 to 2026-03-31"],
    ["{today}", "{today}"],
  ] as const;
  test.each(cases)("writes %s as %s", (value, expected) => {
    expect(resolveFilters([{ column: "d", operator: "ge", values: [value, 1, true] }], now)).toEqual([
      { column: "d", operator: "ge", values: [expected, 1, true] },
    ]);
  });
});

describe("sourceTableOf()", () => {
  test("finds a table by its whole name, or by its bucket and name", async () => {
    await using registry = await memoryRegistry();
    const { table: whole } = await registry.register({ source: "crm", sourceTable: "in.c-crm.orders" });
    const { table: parts } = await registry.register({
      source: "crm",
      sourceTable: "people",
      bucket: "in.c-crm",
    });
    const infos = [discovered("in.c-crm.people"), discovered("in.c-crm.orders"), discovered("orders")];
    expect(sourceTableOf(whole, infos)).toBe(infos[1]!);
    expect(sourceTableOf(parts, infos)).toBe(infos[0]!);
    expect(sourceTableOf(parts, [])).toBeUndefined();
  });
});

describe("folderOf()", () => {
  test("prefers the table's own folder to that of its bucket", async () => {
    await using registry = await memoryRegistry();
    const { table } = await registry.register({ source: "crm", sourceTable: "in.c-crm.orders" });
    expect(folderOf(table, { "in.c-crm": "crm" })).toBe("crm");
    expect(folderOf(table, {})).toBeNull();
    const { table: own } = await registry.update("crm.orders", { folder: "sales/eu" });
    expect(folderOf(own, { "in.c-crm": "crm" })).toBe("sales/eu");
  });
});
