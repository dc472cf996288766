import { expect, test } from "bun:test";

import { memoryStorage, type CatalogStorage } from "agnes/catalog";

import { simulateStorage } from "../../lib/testing/storage-simulation.ts";
import { seedsTo } from "../seeds.ts";
import { expectMemoryCatalogKept } from "./memory-simulation.ts";

test("openCatalog() keeps its guarantees on memory under 150 seeds of faults and crashes", async () => {
  await expectMemoryCatalogKept(seedsTo(150));
}, 180_000);

test("simulateStorage() is deterministic for a seed, and names the seed when a guarantee is violated", async () => {
  const storages = [memoryStorage(), memoryStorage()];
  const [one, two] = await Promise.all(
    storages.map((storage) => simulateStorage({ seed: 7, open: () => storage })),
  );
  expect(one).toEqual(two!);
  const failed = await simulateStorage({ seed: 42, open: () => forgetful(memoryStorage()) }).catch(String);
  expect(failed).toContain("seed 42: ");
});

/** A storage that loses every other entry after reporting it as durable. */
function forgetful(storage: CatalogStorage): CatalogStorage {
  return {
    open: async (catalog, schema) => {
      const store = await storage.open(catalog, schema);
      return { ...store, append: async (entry) => entry.sequence % 2 === 0 || store.append(entry) };
    },
  };
}
