import { describe, expect, test } from "bun:test";

import { memoryStorage, openCatalog } from "../../lib/catalog/mod.ts";
import { parseDataDescription, parseRegistryJson, type TableChange } from "../../lib/tables/mod.ts";
import { renderRegistryJson } from "../../lib/tables/projections/registry-json.ts";
import { snapshotOf } from "../../lib/tables/projections/export.ts";
import { registrySchema, type RegistryRow } from "../../lib/tables/stored.ts";
import { errorOf, memoryRegistry, stillHost } from "./registry-setup.ts";

/** A registry as an earlier version stored it, with fields that no code reads. */
async function earlierStorage() {
  const storage = memoryStorage();
  {
    await using registry = await memoryRegistry(storage);
    await registry.register({ source: "crm", sourceTable: "orders" });
    await registry.register({ source: "crm", sourceTable: "people" });
  }
  await using catalog = await openCatalog<RegistryRow>({ ...registrySchema, storage, host: stillHost() });
  const defaults = {
    initial_load_chunk_days: 30,
    server_only: false,
    profile_after_sync: true,
    bq_fqn: null as string | null,
  };
  for (const [id, stored] of [
    ["crm.orders", { bq_fqn: "p.d.orders", server_only: true, initial_load_chunk_days: 7 }],
    ["crm.people", {}],
  ] as const) {
    const { record } = (await catalog.get(["table", id]))!;
    await catalog.insert({ ...record, ...defaults, ...stored } as RegistryRow);
  }
  return storage;
}

const unread = { bq_fqn: "p.d.orders" };

describe("fields that no code reads", () => {
  test("are kept as an earlier version stored them, also when the table changes", async () => {
    const storage = await earlierStorage();
    {
      await using registry = await memoryRegistry(storage);
      const orders = (await registry.get("crm.orders"))!;
      expect(orders.unread).toEqual(unread);
      expect(Object.keys(orders)).not.toContain("bq_fqn");
      const people = (await registry.get("crm.people"))!;
      expect(people.unread).toBeUndefined();
      // A field again since code reads it; those versions wrote 30 when it was not set.
      expect([orders, people].map((table) => table.initialLoadChunkDays)).toEqual([7, null]);
      expect([orders, people].map((table) => table.serverOnly)).toEqual([true, false]);
      // Added later.
      expect([orders, people].map((table) => table.syncPaused)).toEqual([false, false]);
      const { table, changed } = await registry.update("crm.orders", { description: "one a row" });
      expect([table.unread, changed]).toEqual([unread, ["description"]]);
    }
    await using registry = await memoryRegistry(storage);
    expect((await registry.get("crm.orders"))!).toMatchObject({ description: "one a row", unread });
    const history = await registry.history({ id: "crm.orders" });
    expect(history.map(({ changed }) => changed)).toEqual([
      ["source", "name", "viewName", "sourceTable"],
      ["initialLoadChunkDays", "serverOnly", "bq_fqn"],
      ["description"],
    ]);
  });

  test("are not written to an export", async () => {
    await using registry = await memoryRegistry(await earlierStorage());
    expect(renderRegistryJson(await snapshotOf(registry))).not.toMatch(/bq_fqn|unread/);
  });

  test("of an export of an earlier version are ignored, and reported if they have a value", async () => {
    const json = JSON.stringify({
      format: "agnes-table-registry",
      format_version: 1,
      version: 1,
      folder_mapping: {},
      tables: [
        { id: "crm.orders", source: "crm", name: "orders", source_table: "orders", ...unread },
        { id: "crm.people", source: "crm", name: "people", source_table: "people", bq_fqn: null },
      ],
    });
    const yaml = `\`\`\`yaml\ntables:\n  - {id: crm.orders, source: crm, source_table: orders, bq_fqn: p.d.orders}\n\`\`\`\n`;
    for (const document of [
      parseRegistryJson(json, "registry.json"),
      parseDataDescription(yaml, { path: "data_description.md" }),
    ]) {
      await using registry = await memoryRegistry();
      const { tables } = await registry.import(document);
      expect(tables[0]!.ignored.toSorted()).toEqual(["bq_fqn"]);
      expect(tables[1]?.ignored ?? []).toEqual([]);
      expect((await registry.get("crm.orders"))!.unread).toBeUndefined();
    }
  });

  test("cannot be set by a change", async () => {
    await using registry = await memoryRegistry();
    const change = { source: "crm", sourceTable: "orders", bq_fqn: "x" } as unknown as TableChange;
    expect((await errorOf(() => registry.register(change))).code).toBe("table_field_unknown");
  });
});
