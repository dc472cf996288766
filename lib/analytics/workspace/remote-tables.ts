import { canBeAsked } from "../../sources/mod.ts";
import { checkRemotes, type RemoteCheck } from "../remote/check.ts";
import { extensionsOf } from "./extensions.ts";
import { rebuild, type RebuildServices } from "./rebuild.ts";

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
  /** What makes it answer; null when it answers. */
  readonly remedy: string | null;
}

/**
 * Looks at how each published remote table is answered now, by attaching its database.
 *
 * @param options.installExtensions whether missing extensions are downloaded, and `analytics.duckdb` rebuilt with them
 */
export async function remoteTables(
  services: RebuildServices,
  options: { readonly installExtensions?: boolean; readonly signal?: AbortSignal | undefined } = {},
): Promise<readonly RemoteTable[]> {
  const { installExtensions = false, signal } = options;
  const { dataDirectory } = services.workspace;
  const request = { dataDirectory, extensions: extensionsOf(services), installExtensions, signal };
  const checks = await checkRemotes(services, request);
  if (installExtensions && checks.length > 0) await rebuild(services, { installExtensions, signal });
  return Promise.all(checks.map(async (check) => remoteTable(services, check)));
}

async function remoteTable(services: RebuildServices, check: RemoteCheck): Promise<RemoteTable> {
  const { source, name, extension, reason, isExtensionMissing } = check;
  const id = `${source}.${name}`;
  if (extension !== null && reason === null) return { id, way: "attach", extension, reason, remedy: null };
  const obstacle = await liveObstacle(services, source, id);
  if (obstacle === null) return { id, way: "live", extension, reason, remedy: null };
  return {
    id,
    way: "none",
    extension,
    reason: reason === null ? obstacle.reason : `${reason}; ${obstacle.reason}`,
    remedy: isExtensionMissing ? "Run `agnes doctor --install-extensions`." : obstacle.remedy,
  };
}

/** Why a table is not answered through its connector, and what the owner of the workspace does about it. */
interface Obstacle {
  readonly reason: string;
  readonly remedy: string;
}

async function liveObstacle(
  { plugins, tables, workspace }: RebuildServices,
  source: string,
  id: string,
): Promise<Obstacle | null> {
  const { sources } = workspace.config;
  const config = Object.hasOwn(sources, source) ? sources[source] : undefined;
  if (config === undefined) {
    const remedy = `Add the source ${source} to agnes.yaml, or correct the extract that names the table.`;
    return { reason: `agnes.yaml has no source ${source} to ask instead`, remedy };
  }
  const plugin = plugins.list().find((known) => known.name === config.plugin);
  if (plugin === undefined) {
    const remedy = "Correct the name of the plugin in agnes.yaml, or the plugin, and run `agnes sync`.";
    return { reason: `its plugin ${config.plugin} is not loaded`, remedy };
  }
  if (!canBeAsked(plugin)) {
    const remedy = `Correct that and run \`agnes sync ${source}\`; without being attached the table cannot be answered, because its plugin neither reads nor queries.`;
    return { reason: `its plugin ${plugin.name} can neither read nor query`, remedy };
  }
  if ((await tables.get(id)) !== null) return null;
  const remedy = `Register it: \`agnes table register ${source} ${id.slice(source.length + 1)} --mode remote\`.`;
  return { reason: "it is not registered, so its connector is not asked", remedy };
}
