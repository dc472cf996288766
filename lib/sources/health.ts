import { isAgnesError, withDeadline, type AgnesError } from "../base/mod.ts";
import type { Health } from "../kit/mod.ts";
import { discoverTables } from "./discover.ts";

const HEALTH_TIMEOUT_MS = 30_000;

/**
 * Runs the health check of the plugin of a source; null if it has none. A check that throws an `AgnesError` is a result too.
 *
 * @throws `aborted`
 */
export async function pluginHealth(
  { connector, name }: Pick<Parameters<typeof discoverTables>[0], "connector" | "name">,
  options: { readonly signal?: AbortSignal; readonly timeoutMs?: number } = {},
): Promise<AgnesError | Health | null> {
  if (connector.health === undefined) return null;
  const limits = { timeoutMs: HEALTH_TIMEOUT_MS, ...options };
  try {
    return await withDeadline(`the health check of source ${name}`, limits, (signal) =>
      connector.health!({ signal }),
    );
  } catch (error) {
    if (options.signal?.aborted === true || !isAgnesError(error)) throw error;
    return error;
  }
}

/**
 * Checks whether a source is reachable, with its own health check or otherwise by listing its tables.
 *
 * An unreachable source is a result too: its health, or the error of the check.
 * @throws `aborted`
 */
export async function checkHealth(
  handle: Parameters<typeof discoverTables>[0],
  options: { readonly signal?: AbortSignal; readonly timeoutMs?: number } = {},
): Promise<AgnesError | Health> {
  const limits = { timeoutMs: HEALTH_TIMEOUT_MS, ...options };
  const { connector } = handle;
  const own = await pluginHealth(handle, options);
  if (own !== null) return own;
  try {
    if (connector.discover === undefined)
      return { ok: true, message: "connected; the plugin has no health check" };
    const tables = await discoverTables(handle, limits);
    return { ok: true, message: `connected; ${tables.length} ${tables.length === 1 ? "table" : "tables"}` };
  } catch (error) {
    if (options.signal?.aborted === true) throw error;
    return isAgnesError(error) ? error : { ok: false, message: (error as Error).message };
  }
}
