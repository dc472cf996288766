import { resolve } from "node:path";

import { checkAgainst, createLog, redactThrown, withDeadline, type Host, type Log } from "../base/mod.ts";
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
import { resolveSecrets } from "./secrets.ts";

const CONNECT_TIMEOUT_MS = 60_000;
const CLOSE_TIMEOUT_MS = 30_000;

/** What of a source's configuration a connection needs. */
export interface SourceToConnect {
  readonly plugin: string;
  readonly options?: unknown;
  /** The environment variable for each of the plugin's secrets; default: the secret's own name. */
  readonly secrets?: Readonly<Record<string, string>>;
}

/** What `connectSource` needs of the world. */
export interface ConnectServices {
  readonly host: Host;
  readonly log: Log;
  readonly engine: DuckDBEngine;
  /** Where relative paths of the options start: the workspace. */
  readonly directory: string;
  /** The kept state of a published table. Default: nothing is published. */
  readonly published?: (table: string) => Promise<JsonValue | undefined>;
  /** Learns of the source and its secrets before its plugin connects. */
  readonly onConnect?: (origin: Origin) => void;
}

/**
 * A connected source. Every failure of its connector is an `AgnesError`; a plugin's own is `plugin_failed`, one about
 * the data of the source keeps its code.
 */
export interface SourceHandle extends AsyncDisposable {
  readonly name: string;
  readonly plugin: AnyPlugin;
  readonly connector: AnyConnector;
  /** The values that nothing may show, as far as they are known by now. */
  readonly secrets: readonly string[];
  /** Frees what the connector holds; calling it again does nothing. */
  close(): Promise<void>;
}

/**
 * Connects to a source: checks its options, takes its secrets from the environment and calls the plugin.
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
  const plugin = registry.get(config.plugin);
  const checked = checkAgainst(plugin.options, config.options ?? {}, `sources.${name}.options`);
  const secrets = resolveSecrets(plugin, name, config.secrets ?? {}, services.host.env);
  const values = new Set(Object.values(secrets).flatMap((secret) => secret?.reveal() ?? []));
  const origin: Origin = { plugin: plugin.name, source: name, secrets: values };
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
  const close = () => (closing ??= closeWithin(guarded, name));
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

/** @throws `plugin_invalid`, which shows names of what the plugin returned */
function checkedConnector(plugin: AnyPlugin, connector: unknown, secrets: Iterable<string>): AnyConnector {
  try {
    return checkConnector(plugin, connector);
  } catch (error) {
    throw redactThrown(error, secrets);
  }
}

async function closeWithin(connector: AnyConnector, source: string): Promise<void> {
  if (connector.close === undefined) return;
  await withDeadline(`the closing of source ${source}`, { timeoutMs: CLOSE_TIMEOUT_MS }, async () =>
    connector.close!(),
  );
}

/** A connection that came after nobody waited for it any more; whether it closes well is nobody's matter. */
function closeLate(late: AnyConnector): void {
  Promise.resolve()
    .then(() => late.close?.())
    .catch(() => {});
}

function contextOf(
  services: ConnectServices,
  source: string,
  given: {
    readonly options: unknown;
    readonly secrets: Readonly<Record<string, Secret | undefined>>;
    readonly values: Set<string>;
  },
) {
  const { host, directory } = services;
  const log = createLog(
    ({ level, message, fields }) => services.log[level](message, { source, ...fields }),
    given.values,
  );
  return {
    source,
    options: given.options,
    secrets: given.secrets,
    http: createHttp({ host, log, secrets: given.values }),
    duckdb: services.engine,
    log,
    published: services.published ?? (async () => undefined),
    now: () => host.now(),
    sleep: (durationMs: number, signal?: AbortSignal) => host.sleep(durationMs, signal),
    resolvePath: (path: string) => resolve(directory, path),
  };
}
