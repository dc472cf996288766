import { AgnesError, checkAgainst, checkEnvironmentName, checkSourceName } from "../base/mod.ts";
import { workspaceConfig, type WorkspaceConfig } from "./config.ts";

/**
 * Checks the content of `agnes.yaml` or of `createAgnes`.
 *
 * @param path what to call the content in an error
 * @throws `config_unknown_key` naming the nearest known key, `config_invalid`, `invalid_identifier`
 */
export function checkConfig(content: unknown, path: string): WorkspaceConfig {
  const config = checkAgainst(workspaceConfig, content ?? {}, path);
  const names = new Set<string>();
  for (const [name, source] of Object.entries(config.sources)) {
    checkSourceName(`${path}: the source name`, name);
    if (names.has(name.toLowerCase())) {
      const rule = "another source differs from it in upper and lower case only";
      throw new AgnesError("invalid_identifier", { what: `${path}: the source name`, value: name, rule });
    }
    names.add(name.toLowerCase());
    for (const [secret, variable] of Object.entries(source.secrets)) {
      checkEnvironmentName(`${path}: sources.${name}.secrets.${secret}: the environment variable`, variable);
    }
  }
  return config;
}
