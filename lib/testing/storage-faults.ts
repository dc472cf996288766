import { AgnesError, type Host } from "../base/mod.ts";
import type { CatalogStorage, CatalogStore } from "../catalog/mod.ts";

/** A fault of one storage call. */
export type StorageFault = "fails before" | "fails after" | "never answers" | "answers late";

/** How a storage fails. */
export interface StorageFaults {
  /** The fault of the next call, if any. */
  readonly next: (operation: keyof CatalogStore) => StorageFault | undefined;
  /** The minimum duration of a call. */
  readonly delayMs: () => number;
  /** The delay of a late response, longer than all timeouts. */
  readonly lateMs: number;
  /** Once `false`, the process is dead: none of its calls begins or returns. */
  readonly alive: () => boolean;
  readonly host: Pick<Host, "sleep">;
}

/** Creates a storage whose calls may fail before or after they take effect, hang, or take effect late. */
export function faultyStorage(storage: CatalogStorage, faults: StorageFaults): CatalogStorage {
  return {
    open: async (catalog, schema, retention) => {
      const store = await storage.open(catalog, schema, retention);
      const through = <T>(operation: keyof CatalogStore, work: () => Promise<T>) =>
        disturbed(faults, operation, work);
      return {
        maxEntryBytes: store.maxEntryBytes,
        recheckMs: store.recheckMs,
        lockSchema: (schema) => through("lockSchema", () => store.lockSchema(schema)),
        append: (entry) => through("append", () => store.append(entry)),
        ...(store.settle && { settle: (sequence) => through("settle", () => store.settle!(sequence)) }),
        read: (from, limit) => through("read", () => store.read(from, limit)),
        ...(store.first && { first: () => through("first", () => store.first!()) }),
        checkpoint: () => through("checkpoint", () => store.checkpoint()),
        advance: (sequence) => through("advance", () => store.advance(sequence)),
        apply: (entries, origin) => through("apply", () => store.apply(entries, origin)),
        get: (keys) => through("get", () => store.get(keys)),
        ...(store.forgotten && { forgotten: () => store.forgotten!() }),
        find: (lookup) => through("find", () => store.find(lookup)),
        rebuild: (entries) => store.rebuild(entries),
        close: () => store.close(),
      };
    },
  };
}

async function disturbed<T>(
  faults: StorageFaults,
  operation: keyof CatalogStore,
  work: () => Promise<T>,
): Promise<T> {
  const { host, alive } = faults;
  const fault = faults.next(operation);
  if (!alive()) return unanswered();
  await host.sleep(faults.delayMs());
  if (!alive()) return unanswered();
  if (fault === "fails before") throw unavailable(operation);
  // A sent request arrives, even if its sender is dead.
  if (fault === "answers late") await host.sleep(faults.lateMs);
  const result = await work();
  if (fault === "fails after") throw unavailable(operation);
  return fault === "never answers" || !alive() ? unanswered() : result;
}

function unavailable(operation: string): AgnesError {
  return new AgnesError("catalog_unavailable", {
    catalog: "in the simulation",
    operation,
    reason: "a fault was injected",
  });
}

function unanswered(): Promise<never> {
  return new Promise(() => {});
}
