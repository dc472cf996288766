import { expect, test } from "bun:test";

import { createHost } from "../../../lib/base/mod.ts";
import { findTable } from "../../../lib/serve/catalog/find-table.ts";
import { PublishedCatalog } from "../../../lib/serve/catalog/published-catalog.ts";
import type { Principal } from "../../../lib/serve/mod.ts";
import type { ServeServices } from "../../../lib/serve/services.ts";
import { served } from "../harness.ts";

test("findTable() finds no table without access, also if a description would not be rejected", async () => {
  await using shop = await served();
  const { agnes } = shop;
  const principal: Principal = { id: "a", name: "ann", role: "analyst", grants: null, expiresAt: null };
  const services = {
    host: createHost(),
    workspace: {
      workspace: agnes.workspace,
      tables: () => agnes.tables(),
      metadata: agnes.metadata,
      catalog: () => agnes.catalog(),
      syncStatus: async () => [],
      describe: (table: string) => agnes.describe(table),
    },
    accessOf: async () => new Set(["shop.orders"]),
  } as unknown as ServeServices;
  const catalog = new PublishedCatalog();
  const find = (id: string) => findTable(services, catalog, { principal, id });
  expect((await find("ORDERS")).listed.entry.id).toBe("shop.orders");
  for (const id of ["customers", "shop.customers"])
    expect(await find(id).catch((error: unknown) => error)).toMatchObject({ code: "table_unknown" });
});
