import { resolve } from "node:path";

import { createLog, redactThrown, withDeadline, type Host, type Log } from "../base/mod.ts";
import {
  createHttp,
  type AnyConnector,
  type AnyPlugin,
  type DuckDBEngine,
  type JsonValue,
  type Secret,
} from "../kit/mod.ts";
import { checkConnector, type PluginRegistry } from "../plugins/mod.ts";
import { pluginFailure, type Origin } from "./guard/failure.ts";
import { guardConnector } from "./guard/guard.ts";
import { prepareSource, type SourceToConnect } from "./prepare-source.ts";

const CONNECT_TIMEOUT_MS = 60_000;
const CLOSE_TIMEOUT_MS = 30_000;

/** The services that `connectSource` uses. */
export interface ConnectServices {
  readonly host: Host;
  readonly log: Log;
  readonly engine: DuckDBEngine;
  /** The base of relative paths in the options: the workspace. */
  readonly directory: string;
  /** See `ConnectContext`. Default: none. */
  readonly ownPaths?: readonly string[];
  /** Returns the stored state of a published table. Default: nothing is published. */
  readonly published?: (table: string) => Promise<JsonValue | undefined>;
  /** Called with the source and its secrets before its plugin connects. */
  readonly onConnect?: (origin: Origin) => void;
}

/**
 * A connected source. Every failure of its connector is an `AgnesError`: `plugin_failed`, except that errors in the data
 * of the source keep their code.
 */
export interface SourceHandle extends AsyncDisposable {
  readonly name: string;
  readonly plugin: AnyPlugin;
  readonly connector: AnyConnector;
  /** The secret values to redact, as far as they are known. */
  readonly secrets: readonly string[];
  /** Releases the resources of the connector. Further calls do nothing. */
  close(): Promise<void>;
}

/**
 * Connects to a source: checks its options, reads its secrets from the environment and calls the plugin.
 *
 * @throws `plugin_unknown`, `config_unknown_key`, `config_invalid`, `secret_missing`, `plugin_invalid`,
 *   `plugin_failed`, `timed_out`, `aborted`
 */
export async function connectSource(
  services: ConnectServices,
  registry: Pick<PluginRegistry, "get">,
  name: string,
  config: SourceToConnect,
  options: { readonly signal?: AbortSignal; readonly timeoutMs?: number } = {},
): Promise<SourceHandle> {
  const { env } = services.host;
  const { plugin, options: checked, secrets } = prepareSource({ plugins: registry, env }, name, config);
  const values = new Set(Object.values(secrets).flatMap((secret) => secret?.reveal() ?? []));
  const codes = new Set(Object.values(plugin.errors ?? {}).map(({ code }) => code as string));
  const origin: Origin = { plugin: plugin.name, source: name, secrets: values, codes };
  services.onConnect?.(origin);
  const context = contextOf(services, name, { options: checked, secrets, values });
  const connector = await withDeadline(
    `connecting to source ${name}`,
    { timeoutMs: CONNECT_TIMEOUT_MS, ...options },
    async (signal) => {
      try {
        return await plugin.connect(context as never);
      } catch (error) {
        throw pluginFailure(error, origin, { operation: "connect", signal });
      }
    },
    closeLate,
  );
  const guarded = guardConnector(checkedConnector(plugin, connector, values), origin, plugin);
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= closeConnector(guarded, name));
  return {
    name,
    plugin,
    connector: { ...guarded, close },
    get secrets() {
      return [...values];
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** @throws `plugin_invalid`, which contains names from the returned object, so it is redacted */
function checkedConnector(plugin: AnyPlugin, connector: unknown, secrets: Iterable<string>): AnyConnector {
  try {
    return checkConnector(plugin, connector);
  } catch (error) {
    throw redactThrown(error, secrets);
  }
}

async function closeConnector(connector: AnyConnector, source: string): Promise<void> {
  if (connector.close === undefined) return;
  await withDeadline(`the closing of source ${source}`, { timeoutMs: CLOSE_TIMEOUT_MS }, async () =>
    connector.close!(),
  );
}

/** Closes a connection that was opened after the timeout. Errors are ignored. */
function closeLate(connector: AnyConnector): void {
  Promise.resolve()
    .then(() => connector.close?.())
    .catch(() => {});
}

function contextOf(
  services: ConnectServices,
  source: string,
  {
    options,
    secrets,
    values,
  }: {
    readonly options: unknown;
    readonly secrets: Readonly<Record<string, Secret | undefined>>;
    readonly values: Set<string>;
  },
) {
  const { host, directory } = services;
  const log = createLog(
    ({ level, message, fields }) => services.log[level](message, { source, ...fields }),
    values,
  );
  return {
    source,
    options,
    secrets,
    http: createHttp({ host, log, secrets: values }),
    duckdb: services.engine,
    log,
    published: services.published ?? (async () => undefined),
    now: () => host.now(),
    sleep: (durationMs: number, signal?: AbortSignal) => host.sleep(durationMs, signal),
    resolvePath: (path: string) => resolve(directory, path),
    ownPaths: services.ownPaths ?? [],
  };
}
