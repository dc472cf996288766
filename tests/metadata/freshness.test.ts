import { expect, test } from "bun:test";

import { freshnessOf, rowAfter, type TableRow } from "../../lib/metadata/stored.ts";
import type { RegisteredTable } from "../../lib/tables/mod.ts";
import { registerRemote, stateOf, withWarehouse } from "./warehouse.ts";

const HOUR_MS = 3_600_000;
const NOW = new Date("2026-05-12T12:00:00Z");
const FRESH_SECONDS = 8 * 3600;

const row = (parts: Partial<TableRow> = {}): TableRow => ({
  kind: "table",
  key: "shop.orders",
  place: '[null,"orders"]',
  refreshedAt: null,
  noDataAt: null,
  error: null,
  metadata: null,
  ...parts,
});
const ago = (hours: number) => new Date(NOW.getTime() - hours * HOUR_MS).toISOString();
const error = { at: ago(1), code: "timed_out", message: "it took too long" };

test("freshnessOf() counts a row as fresh for two intervals, and then as stale", () => {
  const cases = [
    [null, "never_fetched"],
    [row(), "never_fetched"],
    [row({ refreshedAt: ago(0) }), "fresh"],
    [row({ refreshedAt: ago(8) }), "fresh"],
    [row({ refreshedAt: ago(8.001) }), "stale"],
    // An error after a success is separate.
    [row({ refreshedAt: ago(5), error }), "fresh"],
    [row({ refreshedAt: ago(9), error }), "stale"],
    [row({ refreshedAt: ago(5), noDataAt: ago(1) }), "fresh"],
    [row({ error }), "error"],
    [row({ noDataAt: ago(1) }), "no_data"],
    [row({ noDataAt: ago(2), error }), "error"],
    // The clock was set back.
    [row({ refreshedAt: ago(-1) }), "fresh"],
    [row({ refreshedAt: ago(-9) }), "stale"],
  ] as const;
  for (const [stored, expected] of cases)
    expect([stored, freshnessOf(stored, NOW, FRESH_SECONDS)]).toEqual([stored, expected]);
});

test("rowAfter() keeps no metadata of another table under the same id", () => {
  const record = {
    id: "shop.orders",
    name: "orders",
    sourceTable: "orders",
    bucket: null,
  } as RegisteredTable;
  const before = rowAfter(null, {
    record,
    at: ago(2),
    fetched: { status: "ok", metadata: { name: "orders", rows: 4 } },
  });
  const failed = { at: ago(1), fetched: { status: "error", error: new Error("lost") } } as const;
  expect(rowAfter(before, { record, ...failed })).toMatchObject({
    refreshedAt: ago(2),
    metadata: { rows: 4 },
  });
  const moved = { ...record, bucket: "web" };
  expect(rowAfter(before, { record: moved, ...failed })).toMatchObject({ refreshedAt: null, metadata: null });
});

test("the metadata cache keeps the names of columns up to 10,000 characters, and their number", () => {
  const columns = Array.from({ length: 600 }, (_, at) => ({
    name: `column_${String(at).padStart(13, "0")}`,
    type: "INT",
  }));
  const record = {
    id: "shop.orders",
    name: "orders",
    sourceTable: "orders",
    bucket: null,
  } as RegisteredTable;
  const fetched = { status: "ok", metadata: { name: "orders", columns } } as const;
  const { metadata } = rowAfter(null, { record, at: ago(0), fetched });
  expect([metadata!.columnCount, metadata!.columns!.length]).toEqual([600, 500]);
});

test("status() lists all remote tables with their freshness by the clock, and no others", async () => {
  let now = NOW;
  await withWarehouse(
    async (agnes, warehouse) => {
      await registerRemote(agnes, "shop", ["orders", "people"]);
      await (await agnes.tables()).register({ source: "shop", sourceTable: "copied" });
      await agnes.metadata.refreshTable("orders");
      const states = async () => {
        const { tables, ...rest } = await agnes.metadata.status();
        expect(rest).toEqual({
          intervalSeconds: 600,
          freshSeconds: 1200,
          at: now.toISOString(),
          lastRun: null,
        });
        return tables.map(({ table, freshness, refreshedAt }) => [table, freshness, refreshedAt]);
      };
      const never = ["shop.people", "never_fetched", null];
      expect(await states()).toEqual([["shop.orders", "fresh", NOW.toISOString()], never]);
      now = new Date(NOW.getTime() + 1200_000);
      expect(await states()).toEqual([["shop.orders", "fresh", NOW.toISOString()], never]);
      now = new Date(NOW.getTime() + 1200_001);
      expect(await states()).toEqual([["shop.orders", "stale", NOW.toISOString()], never]);
      expect(warehouse.calls).toHaveLength(1);
    },
    {
      env: { SCHEDULER_BQ_METADATA_REFRESH_INTERVAL: "600" },
      host: { now: () => now },
    },
  );
});

test("a changed registration makes the metadata of the earlier table unknown", async () => {
  await withWarehouse(async (agnes) => {
    await registerRemote(agnes, "shop", ["orders"]);
    await agnes.metadata.refresh();
    await (await agnes.tables()).update("shop.orders", { sourceTable: "people" });
    expect(await stateOf(agnes, "shop.orders")).toMatchObject({ freshness: "never_fetched", metadata: null });
  });
});
