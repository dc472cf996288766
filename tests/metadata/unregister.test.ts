import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";

import { closedGate, registerRemote, stateOf, until, withWarehouse } from "./warehouse.ts";

test("unregistering a table removes its cached metadata", async () => {
  await withWarehouse(async (agnes, _warehouse, directory) => {
    await registerRemote(agnes, "shop", ["orders", "people"]);
    await agnes.metadata.refresh();
    await agnes.metadata.refreshTable("orders");
    const locks = () => readdirSync(join(directory, "data", "metadata"));
    expect(locks()).toHaveLength(2);
    const { resources, failures } = await (await agnes.tables()).unregister("shop.orders");
    expect(resources).toContainEqual({ kind: "metadata", id: "shop.orders" });
    expect(failures).toEqual([]);
    expect(locks()).toEqual(["all.lock"]);
    expect((await agnes.metadata.status()).tables.map(({ table }) => table)).toEqual(["shop.people"]);
    await registerRemote(agnes, "shop", ["orders"]);
    expect(await stateOf(agnes, "shop.orders")).toMatchObject({ freshness: "never_fetched", metadata: null });
  });
});

test("a table that is unregistered while it is refreshed leaves no metadata", async () => {
  await withWarehouse(async (agnes, warehouse) => {
    await registerRemote(agnes, "shop", ["orders", "people"]);
    const open = closedGate(warehouse);
    const all = agnes.metadata.refresh();
    await until(() => warehouse.calls.length === 2);
    await (await agnes.tables()).unregister("shop.orders");
    open();
    await all;
    await registerRemote(agnes, "shop", ["orders"]);
    expect(await stateOf(agnes, "shop.orders")).toMatchObject({ freshness: "never_fetched", metadata: null });
    expect((await stateOf(agnes, "shop.people"))!.freshness).toBe("fresh");
  });
});

test("refresh() removes what is cached of tables that are no longer remote", async () => {
  await withWarehouse(async (agnes) => {
    await registerRemote(agnes, "shop", ["orders"]);
    await agnes.metadata.refresh();
    const tables = await agnes.tables();
    await tables.update("shop.orders", { queryMode: "local" });
    expect((await agnes.metadata.status()).tables).toEqual([]);
    expect(await agnes.metadata.refresh()).toMatchObject({ total: 0 });
    await tables.update("shop.orders", { queryMode: "remote" });
    expect((await stateOf(agnes, "shop.orders"))!.freshness).toBe("never_fetched");
  });
});
