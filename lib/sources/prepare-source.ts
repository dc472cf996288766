import { checkAgainst, type Host } from "../base/mod.ts";
import type { AnyPlugin, Secret } from "../kit/mod.ts";
import type { PluginRegistry } from "../plugins/mod.ts";
import { resolveSecrets } from "./secrets.ts";

/** The part of a source's configuration that a connection needs. */
export interface SourceToConnect {
  readonly plugin: string;
  readonly options?: unknown;
  /** The environment variable for each of the plugin's secrets; default: the secret's own name. */
  readonly secrets?: Readonly<Record<string, string>>;
}

/**
 * Finds the plugin of a source, checks its options and reads its secrets from the environment. Calls no plugin.
 * @throws `plugin_unknown`, `config_unknown_key`, `config_invalid`, `secret_missing`
 */
export function prepareSource(
  { plugins, env }: { readonly plugins: Pick<PluginRegistry, "get">; readonly env: Host["env"] },
  name: string,
  config: SourceToConnect,
): {
  readonly plugin: AnyPlugin;
  readonly options: unknown;
  readonly secrets: Readonly<Record<string, Secret | undefined>>;
} {
  const plugin = plugins.get(config.plugin);
  const options = checkAgainst(plugin.options, config.options ?? {}, `sources.${name}.options`);
  return { plugin, options, secrets: resolveSecrets(plugin, name, config.secrets ?? {}, env) };
}
