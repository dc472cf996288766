import { atMost, isAgnesError, withTimeout } from "../../base/mod.ts";
import { openSource, type SourceServices } from "../../sources/mod.ts";
import type { TableRegistry } from "../../tables/mod.ts";
import { rebuildAnalytics } from "../rebuild.ts";
import type { RebuildReport } from "../report.ts";
import type { ConfiguredSource, DeclaredRemote } from "../request.ts";
import { extensionsOf } from "./extensions.ts";

/** The services that a rebuild of a workspace's analytics uses. */
export interface RebuildServices extends SourceServices {
  readonly tables: TableRegistry;
}

/** The options of updating `analytics.duckdb`. */
export interface RebuildOptions {
  /** Downloads missing DuckDB extensions from the repository that the plugin names. Default: false. */
  readonly installExtensions?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Updates `analytics.duckdb` to the published data. The registry assigns the view names. */
export async function rebuild(
  services: RebuildServices,
  options: RebuildOptions & {
    /** Timeout for a plugin to connect and return how its source is attached. Default: 10 seconds. */
    readonly connectTimeoutMs?: number;
  } = {},
): Promise<RebuildReport> {
  const { signal, connectTimeoutMs = CONNECT_TIMEOUT_MS, installExtensions = false } = options;
  const records = await services.tables.list();
  return rebuildAnalytics(services, {
    dataDirectory: services.workspace.dataDirectory,
    owners: records.map(({ source, name, viewName }) => ({ source, name, viewName })),
    sources: Object.keys(services.workspace.config.sources),
    declaredRemote: (source) => declaredRemote(services, source, connectTimeoutMs, signal),
    extensions: extensionsOf(services),
    configured: (source) => configuredSource(services, source),
    installExtensions,
    ...(signal === undefined ? {} : { signal }),
  });
}

const CONNECT_TIMEOUT_MS = 10_000;

/** The services that determine how a source is attached. */
function configuredSource({ plugins, workspace }: RebuildServices, source: string): ConfiguredSource | null {
  const { sources } = workspace.config;
  if (!Object.hasOwn(sources, source)) return null;
  const { options, plugin, secrets } = sources[source]!;
  const version = plugins.list().find(({ name }) => name === plugin)?.version;
  return { plugin, settings: JSON.stringify([plugin, version, options, secrets]) };
}

/** How a source is attached, as returned by its plugin; null if there is no such source. */
async function declaredRemote(
  services: RebuildServices,
  source: string,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<DeclaredRemote> {
  if (!Object.hasOwn(services.workspace.config.sources, source)) return null;
  using timer = withTimeout(`requesting the attach settings of source ${source}`, timeoutMs, signal);
  try {
    const handle = await openSource(services, source, timer.signal);
    try {
      return handle.connector.remote?.() ?? null;
    } finally {
      await atMost(handle.close(), timeoutMs);
    }
  } catch (error) {
    if (signal?.aborted === true || !isAgnesError(error)) throw error;
    services.log.warn("cannot determine how the source is attached", { source, error });
    return { problem: error.message };
  }
}
