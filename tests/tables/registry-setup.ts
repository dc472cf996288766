import { createHost, isAgnesError, type AgnesError, type Host } from "../../lib/base/mod.ts";
import { memoryStorage, type CatalogStorage } from "../../lib/catalog/mod.ts";
import { int64, table, timestamp, utf8, type TableInfo } from "../../lib/kit/mod.ts";
import { openTableRegistry, type TableRegistry } from "../../lib/tables/mod.ts";

/** A host whose clock stands still, so that nothing in a test depends on when it runs. */
export function stillHost(at = "2026-11-21T06:00:00.000Z"): Host {
  return createHost({ now: () => new Date(at) });
}

/** A registry of its own in memory. */
export function memoryRegistry(storage: CatalogStorage = memoryStorage()): Promise<TableRegistry> {
  return openTableRegistry({ storage, host: stillHost(), actor: "ann" });
}

/** The error that a piece of work ends with; fails when it ends well. */
export async function errorOf(work: () => unknown): Promise<AgnesError> {
  try {
    await work();
  } catch (error) {
    if (isAgnesError(error)) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

/** A table as a source would describe it. */
export function discovered(name: string, options: Partial<TableInfo> = {}): TableInfo {
  const columns = { id: int64({ nullable: false }), email: utf8(), updated_at: timestamp() };
  return table(name, columns, { primaryKey: ["id"], ...options });
}

/** A storage that calls `before` ahead of each of its asynchronous methods. */
export function intercepted(
  inner: CatalogStorage,
  before: (method: string) => Promise<void>,
): CatalogStorage {
  return {
    async open(catalog, schema) {
      return new Proxy(await inner.open(catalog, schema), {
        get(target, key) {
          const value: unknown = Reflect.get(target, key);
          if (typeof value !== "function" || key === "close") return value;
          return async (...parameters: unknown[]): Promise<unknown> => {
            await before(String(key));
            return Reflect.apply(value as (...all: unknown[]) => unknown, target, parameters);
          };
        },
      });
    },
  };
}
