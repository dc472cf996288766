import { withDeadline } from "../base/mod.ts";
import type { Health } from "../kit/mod.ts";
import { discoverTables } from "./discover.ts";

const HEALTH_TIMEOUT_MS = 30_000;

/**
 * Checks whether a source is reachable, with its own health check or otherwise by listing its tables.
 *
 * An unreachable source is reported with `ok: false` and does not throw.
 * @throws `aborted`
 */
export async function checkHealth(
  handle: Parameters<typeof discoverTables>[0],
  options: { readonly signal?: AbortSignal; readonly timeoutMs?: number } = {},
): Promise<Health> {
  const limits = { timeoutMs: HEALTH_TIMEOUT_MS, ...options };
  const { connector, name } = handle;
  try {
    if (connector.health !== undefined) {
      return await withDeadline(`the health check of source ${name}`, limits, (signal) =>
        connector.health!({ signal }),
      );
    }
    if (connector.discover === undefined)
      return { ok: true, message: "connected; the plugin has no health check" };
    const tables = await discoverTables(handle, limits);
    return { ok: true, message: `connected; ${tables.length} ${tables.length === 1 ? "table" : "tables"}` };
  } catch (error) {
    if (options.signal?.aborted === true) throw error;
    return { ok: false, message: (error as Error).message };
  }
}
