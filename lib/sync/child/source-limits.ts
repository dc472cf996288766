import { MATERIALIZE_TIMEOUT_MS } from "../../extract/mod.ts";
import type { SourceServices } from "../../sources/mod.ts";
import type { SyncServices } from "../services.ts";

/**
 * Returns the time without progress after which a run of a source is stopped. Its default allows for the query of a
 * materialized table, in which the source may report nothing.
 */
export async function stalledMsOf(
  { workspace, tables }: Pick<SyncServices, "workspace" | "tables">,
  source: string,
): Promise<number> {
  const { config } = workspace;
  const { stalledMs, materializeTimeoutMs = MATERIALIZE_TIMEOUT_MS } = config.sources[source]!;
  if (stalledMs !== undefined) return stalledMs;
  const isMaterialized = (await tables.list({ source })).some(
    ({ queryMode }) => queryMode === "materialized",
  );
  return isMaterialized ? Math.max(config.limits.stalledMs, materializeTimeoutMs) : config.limits.stalledMs;
}

/** Returns the values that no output of these sources may have. */
export function secretsOf(
  { host, plugins, workspace }: Pick<SourceServices, "host" | "plugins" | "workspace">,
  sources: readonly string[],
): ReadonlySet<string> {
  const { config } = workspace;
  const variables = sources.flatMap((source) => {
    const { plugin: wanted, secrets } = config.sources[source]!;
    const plugin = plugins.list().find(({ name }) => name === wanted);
    return Object.keys(plugin?.secrets ?? {}).map((name) => secrets[name] ?? name);
  });
  return new Set(variables.flatMap((variable) => host.env[variable] || []));
}
