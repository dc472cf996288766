import {
  AgnesError,
  checkAgainst,
  checkEnvironmentName,
  checkSourceName,
  isAgnesError,
} from "../base/mod.ts";
import { workspaceConfig, type WorkspaceConfig } from "./config.ts";
import type { PlaceOf } from "./placed-error.ts";

/**
 * Checks the content of `agnes.yaml` or of `createAgnes`.
 *
 * @param path the name of the content in errors
 * @param placeOf the position of a setting in a file
 * @throws `config_unknown_key` with the nearest known key, `config_invalid`, `invalid_identifier`
 */
export function checkConfig(
  content: unknown,
  path: string,
  placeOf: PlaceOf = () => undefined,
): WorkspaceConfig {
  const config = checkedConfig(content, path, placeOf);
  const names = new Set<string>();
  for (const [name, source] of Object.entries(config.sources)) {
    const place = placeOf(`sources.${name}`) ?? path;
    checkSourceName(`${place}: the source name`, name);
    if (names.has(name.toLowerCase())) {
      const rule = "another source differs from it only in case";
      throw new AgnesError("invalid_identifier", { what: `${place}: the source name`, value: name, rule });
    }
    names.add(name.toLowerCase());
    for (const [secret, variable] of Object.entries(source.secrets)) {
      const key = `sources.${name}.secrets.${secret}`;
      checkEnvironmentName(`${placeOf(key) ?? path}: ${key}: the environment variable`, variable);
    }
  }
  return config;
}

function checkedConfig(content: unknown, path: string, placeOf: PlaceOf): WorkspaceConfig {
  try {
    return checkAgainst(workspaceConfig, content ?? {}, path);
  } catch (error) {
    const isSetting = isAgnesError(error, "config_unknown_key") || isAgnesError(error, "config_invalid");
    const at = isSetting ? placeOf(error.details.key) : undefined;
    if (!isSetting || at === undefined) throw error;
    throw new AgnesError(error.code, { ...error.details, at } as never, { cause: error });
  }
}
