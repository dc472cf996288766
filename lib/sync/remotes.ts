import { checkRemotes, type RemoteCheck } from "../analytics/mod.ts";
import { extensionsOf } from "./extensions.ts";
import { rebuild } from "./sync.ts";
import type { SyncServices } from "./source.ts";

/** How one remote table is answered now. */
export interface RemoteTable {
  /** `source.name`. */
  readonly id: string;
  /** `attach`: DuckDB reads the source itself; `live`: its connector is asked; `none`: it cannot be answered. */
  readonly way: "attach" | "live" | "none";
  /** The DuckDB extension that attaches its source, `duckdb` for a file of DuckDB; null when none does. */
  readonly extension: string | null;
  /** Why it is not attached; null when it is, or when its source is not attached at all. */
  readonly reason: string | null;
}

/**
 * Looks at how each published remote table is answered now, by attaching its database.
 *
 * @param options.installExtensions whether missing extensions are downloaded, and `analytics.duckdb` rebuilt with them
 */
export async function remoteTables(
  services: SyncServices,
  options: { readonly installExtensions?: boolean; readonly signal?: AbortSignal | undefined } = {},
): Promise<readonly RemoteTable[]> {
  const { installExtensions = false, signal } = options;
  const { dataDirectory } = services.workspace;
  const request = { dataDirectory, extensions: extensionsOf(services), installExtensions, signal };
  const checks = await checkRemotes(services, request);
  if (installExtensions && checks.length > 0) await rebuild(services, { installExtensions, signal });
  return Promise.all(checks.map(async (check) => remoteTable(services, check)));
}

async function remoteTable(services: SyncServices, check: RemoteCheck): Promise<RemoteTable> {
  const { source, name, extension, reason } = check;
  const id = `${source}.${name}`;
  if (extension !== null && reason === null) return { id, way: "attach", extension, reason };
  const obstacle = await liveObstacle(services, source, id);
  if (obstacle === null) return { id, way: "live", extension, reason };
  return { id, way: "none", extension, reason: reason === null ? obstacle : `${reason}; ${obstacle}` };
}

/** Why the connector of a source cannot be asked for a table. */
async function liveObstacle(
  { plugins, tables, workspace }: SyncServices,
  source: string,
  id: string,
): Promise<string | null> {
  const { sources } = workspace.config;
  const config = Object.hasOwn(sources, source) ? sources[source] : undefined;
  if (config === undefined) return `agnes.yaml has no source ${source} to ask instead`;
  const plugin = plugins.list().find((known) => known.name === config.plugin);
  if (plugin === undefined) return `its plugin ${config.plugin} is not loaded`;
  if (!plugin.capabilities.some((capability) => capability === "read" || capability === "query")) {
    return `its plugin ${plugin.name} can neither read nor query`;
  }
  return (await tables.get(id)) === null ? "it is not registered, so its connector is not asked" : null;
}
