import { AgnesError, nearest, type Host, type Log } from "../base/mod.ts";
import { createEngine, type DuckDBLimits } from "../duckdb/mod.ts";
import type { JsonValue } from "../kit/mod.ts";
import type { PluginRegistry } from "../plugins/mod.ts";
import { ownPaths, placedError, type Workspace } from "../workspace/mod.ts";
import { connectSource, type ConnectServices, type SourceHandle } from "./connect.ts";

/** The services for connecting to the sources of a workspace. */
export interface SourceServices {
  readonly host: Host;
  readonly log: Log;
  readonly limits: DuckDBLimits;
  readonly plugins: PluginRegistry;
  readonly workspace: Workspace;
  /** See `ConnectServices`. */
  readonly onConnect?: ConnectServices["onConnect"];
  /** Returns the stored state of the published tables of a source, by their names in the source. */
  readonly publishedStates: (source: string) => (table: string) => Promise<JsonValue | undefined>;
}

/**
 * Connects to a source of the workspace with its own DuckDB instance. Closing the handle closes both.
 * @param isFresh whether a table is read from scratch, so that its published state is hidden from the connector
 * @throws `source_unknown`, and the errors of `connectSource`
 */
export async function openSource(
  services: SourceServices,
  source: string,
  signal?: AbortSignal,
  isFresh: (table: string) => boolean = () => false,
): Promise<SourceHandle> {
  const { host, log, limits, plugins, workspace } = services;
  const { sources } = workspace.config;
  const config = Object.hasOwn(sources, source) ? sources[source] : undefined;
  if (config === undefined) throw unknownSource(source, Object.keys(sources));
  const engine = createEngine(host, limits);
  try {
    const states = services.publishedStates(source);
    const published = async (table: string) => (isFresh(table) ? undefined : states(table));
    const { onConnect } = services;
    const connecting = {
      host,
      log,
      engine,
      directory: workspace.directory,
      ownPaths: ownPaths(workspace),
      published,
      ...(onConnect && { onConnect }),
    };
    const handle = await connectSource(
      connecting,
      plugins,
      source,
      config,
      signal === undefined ? {} : { signal },
    );
    const close = async () => {
      await handle.close();
      await engine.close();
    };
    return {
      name: handle.name,
      plugin: handle.plugin,
      connector: handle.connector,
      get secrets() {
        return handle.secrets;
      },
      close,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await engine.close();
    throw workspace.placeOf === undefined ? error : placedError(error, source, workspace.placeOf);
  }
}

/** Returns the error for a source that is not in `agnes.yaml`; `views` are further candidates for the nearest name. */
export function unknownSource(
  source: string,
  known: readonly string[],
  views?: readonly string[],
): AgnesError {
  const near = nearest(source, [...known, ...(views ?? [])]);
  return new AgnesError("source_unknown", {
    source,
    known,
    ...(views === undefined ? {} : { orTable: true }),
    ...(near === undefined ? {} : { nearest: near }),
  });
}
