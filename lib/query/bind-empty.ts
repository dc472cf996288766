import type { Lease } from "./run.ts";
import type { Hybrid } from "./hybrid/mod.ts";

/**
 * Binds a statement over aliases without rows, so that no query of an alias runs for a statement that would fail.
 * Releases the lease.
 * @param finish returns the SQL that would run
 */
export async function bindEmpty(
  lease: Lease,
  hybrid: Hybrid,
  finish: () => Promise<string>,
  signal: AbortSignal,
): Promise<void> {
  try {
    const load: Parameters<Lease["prepareLive"]>[0]["load"] = (place) => hybrid.load(place, null);
    await lease.prepareLive({ sql: null, schemaOnly: true, rowsMax: Infinity, load, signal });
    await lease.connection.canReadSources(await finish(), { signal });
  } finally {
    await lease.release();
  }
}
