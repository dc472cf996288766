import { isAgnesError, withDeadline } from "../../base/mod.ts";
import { canReadLive, openSource, type SourceHandle } from "../../sources/mod.ts";
import { ATTACH_TIMEOUT_MS } from "../remote/attach-with-timeout.ts";
import { checkRemotes, type RemoteCheck } from "../remote/check.ts";
import { extensionsOf } from "./extensions.ts";
import { rebuild, type RebuildOptions, type RebuildServices } from "./rebuild.ts";

/** The current access to one remote table. */
export interface RemoteTable {
  /** `source.name`. */
  readonly id: string;
  /** `attach`: DuckDB reads the source; `live`: its connector reads it; `none`: the table cannot be queried. */
  readonly accessMode: "attach" | "live" | "none";
  /** The DuckDB extension that attaches its source, `duckdb` for a DuckDB file; null if there is none. */
  readonly extension: string | null;
  /** The reason why it is not attached; null if it is, or if its source does not support attaching. */
  readonly reason: string | null;
  /** The remedy for a table that cannot be queried; null otherwise. */
  readonly remedy: string | null;
}

/**
 * Determines the access to each published remote table, by attaching its database.
 *
 * @param options.installExtensions whether missing extensions are downloaded, and `analytics.duckdb` rebuilt with them
 */
export async function remoteTables(
  services: RebuildServices,
  options: RebuildOptions = {},
): Promise<readonly RemoteTable[]> {
  const { installExtensions = false, signal } = options;
  const { dataDirectory } = services.workspace;
  const request = { dataDirectory, extensions: extensionsOf(services), installExtensions, signal };
  const checks = await checkRemotes(services, request);
  if (installExtensions && checks.length > 0) await rebuild(services, { installExtensions, signal });
  const connections = new Map<string, Promise<Obstacle | null>>();
  const connection = (source: string) => {
    const known = connections.get(source) ?? connectionObstacle(services, source, signal);
    connections.set(source, known);
    return known;
  };
  return Promise.all(checks.map(async (check) => remoteTable(services, check, connection)));
}

async function remoteTable(
  services: RebuildServices,
  check: RemoteCheck,
  connection: (source: string) => Promise<Obstacle | null>,
): Promise<RemoteTable> {
  const { source, name, extension, reason, isExtensionMissing } = check;
  const id = `${source}.${name}`;
  if (extension !== null && reason === null)
    return { id, accessMode: "attach", extension, reason, remedy: null };
  const obstacle = (await liveObstacle(services, source, id)) ?? (await connection(source));
  if (obstacle === null) return { id, accessMode: "live", extension, reason, remedy: null };
  return {
    id,
    accessMode: "none",
    extension,
    reason: reason === null ? obstacle.reason : `${reason}; ${obstacle.reason}`,
    remedy: isExtensionMissing ? "Run `agnes doctor --install-extensions`." : obstacle.remedy,
  };
}

/** The reason why a table cannot be queried through its connector, and the remedy. */
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
    const remedy = `Add the source ${source} to agnes.yaml, or correct the extract of the table.`;
    return { reason: `agnes.yaml has no source ${source} to use instead`, remedy };
  }
  const plugin = plugins.list().find((known) => known.name === config.plugin);
  if (plugin === undefined) {
    const remedy = "Correct the name of the plugin in agnes.yaml, or the plugin, and run `agnes sync`.";
    return { reason: `its plugin ${config.plugin} is not loaded`, remedy };
  }
  if (!canReadLive(plugin)) {
    const remedy = `Correct that and run \`agnes sync ${source}\`: the table can only be attached, because its plugin can neither read nor query.`;
    return { reason: `its plugin ${plugin.name} can neither read nor query`, remedy };
  }
  if ((await tables.get(id)) !== null) return null;
  const remedy = `Register it: \`agnes table register ${source} ${id.slice(source.length + 1)} --mode remote\`.`;
  return { reason: "it is not registered, so its connector is not used", remedy };
}

/** The reason why a source cannot be connected, and the remedy. Its plugin has as long as an attach. */
async function connectionObstacle(
  services: RebuildServices,
  source: string,
  signal: AbortSignal | undefined,
): Promise<Obstacle | null> {
  try {
    const limits = { timeoutMs: ATTACH_TIMEOUT_MS, signal };
    const close = (late: SourceHandle) => void late[Symbol.asyncDispose]().then(undefined, () => {});
    const connect = (stop: AbortSignal) => openSource(services, source, stop);
    await using _ = await withDeadline(`connecting to source ${source}`, limits, connect, close);
    return null;
  } catch (error) {
    if (signal?.aborted === true || !isAgnesError(error)) throw error;
    return { reason: error.message, remedy: error.hint };
  }
}
