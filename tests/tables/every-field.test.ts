import { describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { fileStorage } from "../../lib/catalog/mod.ts";
import {
  parseDataDescription,
  parseRegistryJson,
  tableDefaults,
  tableFieldNames,
  type TableChange,
} from "../../lib/tables/mod.ts";
import { renderDataDescription } from "../../lib/tables/projections/data-description.ts";
import { renderRegistryJson } from "../../lib/tables/projections/registry-json.ts";
import { snapshotOf } from "../../lib/tables/projections/export.ts";
import { settings } from "./hostile-changes.ts";
import { memoryRegistry, stillHost } from "./registry-setup.ts";

/** Two tables that together set every field. */
const orders = {
  source: "crm",
  name: "orders",
  viewName: "sales",
  sourceTable: "in.c-crm.orders",
  bucket: "in.c-crm",
  dataset: "sales",
  queryMode: "materialized",
  sourceQuery: "select 1",
  syncStrategy: "incremental",
  syncSchedule: "daily 05:00,17:00 Europe/Prague",
  primaryKey: ["id", "a,b"],
  columns: ["id", "a,b", "at", "day"],
  incrementalColumn: "at",
  incrementalWindowDays: 7,
  fullKeys: "every 7d",
  maxHistoryDays: 365,
  initialLoadChunkDays: 14,
  partitionBy: "day",
  partitionGranularity: "year",
  schemaPolicy: "freeze",
  quarantine: true,
  quarantineMaxPercent: 12.5,
  profileAfterSync: false,
  serverOnly: true,
  syncPaused: true,
  folder: "crm/eu",
  description: "Orders",
  foreignKeys: [{ column: "a,b", references: "people.id", description: "who" }],
  columnMetadata: {
    "a,b": { description: "Who: *all*\nof them" },
    at: { type: "TIMESTAMP" },
    constructor: { description: "yes", type: "DECIMAL(12,2)" },
    no: { description: "1e3" },
  },
  documentation: {
    sampleQuestions: ["How many?"],
    thingsToKnow: ["Refunds are negative."],
    pairsWellWith: ["people"],
    grain: "one order",
    platforms: ["web"],
    partitionCol: "day",
    history: "since 2020",
    gotchas: [{ key: "tests", body: "Some are tests." }],
  },
  sourceMetadata: { columns: ["id", "1e3"], rows: 1e21, nested: { "```": null, no: false } },
} as const;
const people = {
  source: "crm",
  sourceTable: "people",
  invalidValues: "set_null",
  whereFilters: [{ column: "kind", operator: "ne", values: ["x", 1.5, true, "{{today}}"] }],
} as const;

async function filled() {
  const registry = await memoryRegistry();
  await registry.register(orders as unknown as TableChange);
  await registry.register(people as unknown as TableChange);
  return registry;
}

describe("every field of a table", () => {
  test("is in this test, with another value than its default", () => {
    expect(Object.keys({ ...orders, ...people }).sort()).toEqual([...tableFieldNames].sort());
    const defaults: Readonly<Record<string, unknown>> = tableDefaults;
    for (const [field, value] of [...Object.entries(orders), ...Object.entries(people)])
      if (field in defaults) expect(value).not.toEqual(defaults[field]);
  });

  test("is stored unchanged, also on disk", async () => {
    const directory = await mkdtemp(join(tmpdir(), "agnes-tables-"));
    try {
      const storage = () => fileStorage({ directory, host: stillHost() });
      {
        await using registry = await memoryRegistry(storage());
        await registry.register(orders as unknown as TableChange);
      }
      await using registry = await memoryRegistry(storage());
      expect(await registry.get("crm.orders")).toMatchObject(orders as object);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test("is exported and imported again, as JSON and as a data description", async () => {
    await using registry = await filled();
    const snapshot = await snapshotOf(registry);
    for (const document of [
      parseRegistryJson(renderRegistryJson(snapshot), "registry.json"),
      parseDataDescription(renderDataDescription(snapshot), { path: "data_description.md" }),
    ]) {
      await using copy = await memoryRegistry();
      await copy.import(document);
      expect(await settings(copy)).toEqual(await settings(registry));
    }
  });

  test("is reset to its default when it is cleared", async () => {
    await using registry = await filled();
    const fields = tableFieldNames.filter((field) => !["source", "name", "sourceTable"].includes(field));
    for (const field of fields.filter((name) => name !== "whereFilters")) {
      // A query only goes with its mode, a mode only without a query, and a strategy only without a census.
      const also = { queryMode: { sourceQuery: null }, syncStrategy: { fullKeys: null } };
      const change = { [field]: null, ...also[field as keyof typeof also] };
      const { table } = await registry.update("crm.orders", change);
      expect([field, table[field]]).toEqual([
        field,
        field === "viewName" ? "orders" : tableDefaults[field as keyof typeof tableDefaults],
      ] as never);
    }
    const { table } = await registry.update("crm.people", { whereFilters: null });
    expect(table.whereFilters).toEqual([]);
  });
});
