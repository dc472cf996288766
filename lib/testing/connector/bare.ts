import { resolve } from "node:path";

import * as v from "valibot";

import { Secret } from "../../base/mod.ts";
import { createHttp, type AnyConnector } from "../../kit/mod.ts";
import { SOURCE, type Session } from "./session.ts";

/**
 * Connects the plugin without the runtime, so that its own errors and log entries can be checked before they are
 * redacted.
 */
export async function connectBare(session: Session): Promise<AnyConnector> {
  const { plugin, config, host, log, engine } = session;
  const values = config.secrets ?? {};
  const secrets = Object.fromEntries(
    Object.keys(plugin.secrets).map((name) => [
      name,
      values[name] === undefined ? undefined : new Secret(name, values[name]),
    ]),
  );
  const context = {
    source: SOURCE,
    options: v.parse(plugin.options, config.options ?? {}),
    secrets,
    http: createHttp({ host, log, secrets: new Set(Object.values(values)) }),
    duckdb: engine,
    log,
    published: async () => undefined,
    now: () => host.now(),
    sleep: (durationMs: number, signal?: AbortSignal) => host.sleep(durationMs, signal),
    resolvePath: (path: string) => resolve(config.directory ?? process.cwd(), path),
    ownPaths: [],
  };
  return plugin.connect(context as never);
}
