import { AgnesError, nearest, Secret, type Host } from "../base/mod.ts";
import type { AnyPlugin } from "../kit/mod.ts";

/**
 * Reads a plugin's secrets from the environment. An empty value counts as missing.
 *
 * @param mapping the environment variable of each secret; default: the name of the secret
 * @throws `secret_missing` with all missing variables, `config_unknown_key` for a secret that the plugin does not declare
 */
export function resolveSecrets(
  plugin: AnyPlugin,
  source: string,
  mapping: Readonly<Record<string, string>>,
  env: Host["env"],
): Readonly<Record<string, Secret | undefined>> {
  const names = Object.keys(plugin.secrets);
  for (const key of Object.keys(mapping)) {
    if (names.includes(key)) continue;
    const near = nearest(key, names);
    throw new AgnesError("config_unknown_key", {
      path: `sources.${source}.secrets`,
      key,
      ...(near === undefined ? {} : { nearest: near }),
    });
  }
  const found = Object.entries(plugin.secrets).map(([name, spec]) => {
    const variable = mapping[name] ?? name;
    const value = env[variable];
    const secret = value === undefined || value === "" ? undefined : new Secret(variable, value);
    return { name, spec, variable, secret };
  });
  const missing = found.filter(({ spec, secret }) => spec.required === true && secret === undefined);
  if (missing.length > 0) {
    throw new AgnesError("secret_missing", {
      source,
      variables: missing.map(({ variable }) => variable),
      descriptions: missing.map(({ spec }) => spec.description),
    });
  }
  return Object.fromEntries(found.map(({ name, secret }) => [name, secret]));
}
