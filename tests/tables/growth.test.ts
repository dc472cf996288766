import { describe, expect, test } from "bun:test";

import { memoryStorage, type CatalogStorage } from "../../lib/catalog/mod.ts";
import { openTableRegistry } from "../../lib/tables/mod.ts";
import { discovered, stillHost } from "./registry-setup.ts";

/** A storage that counts the rows and entries that it gives, and takes entries of the size that a cloud takes. */
function counting(count: { rows: number; entries: number; appends: number }): CatalogStorage {
  const inner = memoryStorage();
  return {
    async open(catalog, schema) {
      const store = await inner.open(catalog, schema);
      return {
        ...store,
        maxEntryBytes: 480_000,
        append: (entry) => {
          count.appends += 1;
          return store.append(entry);
        },
        read: async (from, limit) => {
          const entries = await store.read(from, limit);
          count.entries += entries.length;
          return entries;
        },
        get: async (keys) => {
          const found = await store.get(keys);
          count.rows += found.size;
          return found;
        },
        find: async (lookup) => {
          const found = await store.find(lookup);
          count.rows += found.length;
          return found;
        },
      };
    },
  };
}

const names = (tables: number) => Array.from({ length: tables }, (_, at) => `schema_${at % 7}.table_${at}`);

async function registered(tables: number) {
  const count = { rows: 0, entries: 0, appends: 0 };
  await using registry = await openTableRegistry({
    storage: counting(count),
    host: stillHost(),
    actor: "ann",
  });
  const found = names(tables).map((name) => discovered(name));
  const plan = await registry.registerDiscovered("crm", found);
  expect(plan.candidates.every(({ kind }) => kind === "new")).toBe(true);
  expect(await registry.list()).toHaveLength(tables);
  return { ...count };
}

describe("TableRegistry.registerDiscovered()", () => {
  test("reads and writes in proportion to the tables, to 10,000", async () => {
    const [few, many] = [await registered(1000), await registered(10_000)];
    expect(few.appends).toBeGreaterThan(1);
    for (const what of ["rows", "entries", "appends"] as const) {
      expect([what, many[what] <= few[what] * 11]).toEqual([what, true]);
    }
    // The list at the end is all that reads them.
    expect(many.rows).toBeLessThan(20_000);
  });
});

describe("TableRegistry.import()", () => {
  const document = (tables: number) => ({
    path: "r.json",
    tables: names(tables).map((name) => ({
      source: "crm",
      name: name.replace(".", "_"),
      source_table: name,
      description: "d".repeat(300),
    })),
    folder_mapping: { bucket: "folder" },
  });

  test("splits imports larger than one entry, after checking all of it", async () => {
    const count = { rows: 0, entries: 0, appends: 0 };
    await using registry = await openTableRegistry({
      storage: counting(count),
      host: stillHost(),
      actor: "ann",
    });
    const whole = document(2000);
    const bad = { ...whole, tables: [...whole.tables, { source: "crm", name: "no view name!" }] };
    expect(await registry.import(bad as never).catch((error: { code: string }) => error.code)).toBe(
      "table_import_refused",
    );
    expect(await registry.version()).toBe(0);
    const outcome = await registry.import(whole, { expectedVersion: 0 });
    expect(outcome.tables.map(({ kind }) => kind)).toEqual(whole.tables.map(() => "registered"));
    expect(outcome.folders).toEqual([{ kind: "set", bucket: "bucket", folder: "folder" }]);
    expect(count.appends).toBeGreaterThan(3);
    expect(await registry.list()).toHaveLength(2000);
    expect(await registry.folders()).toEqual({ bucket: "folder" });
    const again = await registry.import(whole);
    expect(again.tables.every(({ kind }) => kind === "unchanged")).toBe(true);
    const dry = await registry.import(document(2500), { dryRun: true });
    expect(dry.tables.filter(({ kind }) => kind === "registered")).toHaveLength(500);
    expect(await registry.list()).toHaveLength(2000);
  });

  test("plans again if another writer adds an entry in between, without losing changes", async () => {
    const storage = counting({ rows: 0, entries: 0, appends: 0 });
    const other = await openTableRegistry({ storage, host: stillHost(), actor: "bob" });
    let appends = 0;
    const between: CatalogStorage = {
      async open(catalog, schema) {
        const store = await storage.open(catalog, schema);
        return {
          ...store,
          append: async (entry) => {
            appends += 1;
            if (appends === 2) await other.register({ source: "other", sourceTable: "mine" });
            return store.append(entry);
          },
        };
      },
    };
    await using registry = await openTableRegistry({ storage: between, host: stillHost(), actor: "ann" });
    const outcome = await registry.import(document(2000), { expectedVersion: 0 });
    expect(outcome.tables.every(({ kind }) => kind === "registered")).toBe(true);
    expect(await registry.list()).toHaveLength(2001);
    expect(await registry.list({ source: "other" })).toHaveLength(1);
    await other.close();
  });
});
