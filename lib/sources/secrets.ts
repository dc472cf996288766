import { AgnesError, nearest, Secret, type Host } from "../base/mod.ts";
import type { AnyPlugin, SecretSpec } from "../kit/mod.ts";

/** A secret that the plugin does not know. */
const OTHER: SecretSpec = { description: "named in `secrets` of the source", required: true };

/** The secrets of a source: those of its plugin, and others that the plugin lets `agnes.yaml` name. */
export function secretSpecs(
  plugin: AnyPlugin,
  mapping: Readonly<Record<string, string>>,
): Readonly<Record<string, SecretSpec>> {
  const others = plugin.takesAnySecret === true ? Object.keys(mapping) : [];
  return { ...Object.fromEntries(others.map((name) => [name, OTHER])), ...plugin.secrets };
}

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
  const specs = secretSpecs(plugin, mapping);
  const names = Object.keys(specs);
  for (const key of Object.keys(mapping)) {
    if (names.includes(key)) continue;
    const near = nearest(key, names);
    throw new AgnesError("config_unknown_key", {
      path: `sources.${source}.secrets`,
      key,
      ...(near === undefined ? {} : { nearest: near }),
    });
  }
  const found = Object.entries(specs).map(([name, spec]) => {
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
