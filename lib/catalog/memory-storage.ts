import { MaterializedIndex } from "./materialized-index.ts";
import type { CatalogSchema, CatalogStorage, CatalogStore, LogEntry } from "./storage.ts";

/**
 * Stores catalogs in memory, for tests and for data that need not outlive the process. Catalogs that are opened from
 * the same storage under the same name share one log.
 *
 * @example
 * ```ts
 * import { memoryStorage, openCatalog } from "agnes/catalog";
 * const colours = await openCatalog<{ name: string; tone: string }>({
 *   storage: memoryStorage(), name: "colours", rowKey: "name", indexKeys: ["tone"],
 * });
 * await colours.insert({ name: "teal", tone: "cold" });
 * console.log(await colours.query({ tone: "cold" }));
 * ```
 */
export function memoryStorage(): CatalogStorage {
  const stores = new Map<string, CatalogStore>();
  return {
    open: (catalog, schema) => {
      const store = stores.get(catalog) ?? memoryStore(schema);
      stores.set(catalog, store);
      return Promise.resolve(store);
    },
  };
}

/** Keys deleted this many entries ago are forgotten: the log, which still has them, is in memory as well. */
const FORGOTTEN_AFTER = 8;

function memoryStore(schema: CatalogSchema): CatalogStore {
  // Kept as text, so that no caller can change the log through a record object that it still has.
  const log: string[] = [];
  let index = new MaterializedIndex(schema);
  const forget = (target: MaterializedIndex) => target.forget(target.sequence - FORGOTTEN_AFTER);
  return {
    maxEntryBytes: 64 * 1024 * 1024,
    recheckMs: 0,
    lockSchema: async () => schema,
    append: async (entry) => {
      if (entry.sequence !== log.length + 1) return false;
      log.push(JSON.stringify(entry));
      return true;
    },
    read: async (from, limit) =>
      log.slice(from - 1, from - 1 + limit).map((text) => JSON.parse(text) as LogEntry),
    checkpoint: async () => index.sequence,
    advance: async () => {},
    apply: async (entries) => {
      index.apply(entries);
      forget(index);
    },
    get: async (keys) => index.rowsOf(keys),
    forgotten: () => index.forgotten,
    find: async (lookup) => index.find(lookup),
    rebuild: async (entries) => {
      const fresh = new MaterializedIndex(schema);
      for await (const page of entries) fresh.apply(page);
      // Other handles may have indexed newer entries in the meantime, and will not index them again.
      fresh.apply(log.slice(fresh.sequence, index.sequence).map((text) => JSON.parse(text) as LogEntry));
      fresh.forgetAs(index);
      forget(fresh);
      index = fresh;
    },
    close: async () => {},
  };
}
