import { expect, test } from "bun:test";

import { registerRemote, withWarehouse } from "./warehouse.ts";

test("catalog() shows the cached figures of remote tables and their freshness, and calls no source", async () => {
  await withWarehouse(async (agnes, warehouse) => {
    await registerRemote(agnes, "shop", ["orders", "people"]);
    await (await agnes.tables()).register({ source: "shop", sourceTable: "visits" });
    await agnes.sync({ only: ["shop"] });
    warehouse.responses.set("orders", { rows: 12, sizeBytes: 340 });
    const { reads } = warehouse;
    const shown = async () =>
      (await agnes.catalog()).map(({ id, rows, sizeBytes, freshness, metadataAt }) => ({
        id,
        rows,
        sizeBytes,
        freshness,
        isKnown: metadataAt !== null,
      }));
    const unknown = { rows: null, sizeBytes: null, freshness: "never_fetched", isKnown: false } as const;
    const local = {
      id: "shop.visits",
      rows: 1,
      sizeBytes: expect.any(Number) as number,
      freshness: null,
      isKnown: false,
    };
    expect(await shown()).toEqual([
      { id: "shop.orders", ...unknown },
      { id: "shop.people", ...unknown },
      local,
    ]);
    expect(warehouse.calls).toEqual([]);
    warehouse.responses.set("people", null);
    await agnes.metadata.refresh();
    const calls = warehouse.calls.length;
    expect(await shown()).toEqual([
      { id: "shop.orders", rows: 12, sizeBytes: 340, freshness: "fresh", isKnown: true },
      { id: "shop.people", ...unknown, freshness: "no_data" },
      local,
    ]);
    expect([warehouse.calls.length, warehouse.reads]).toEqual([calls, reads]);
  });
});
