import type { Agnes } from "../../lib/agnes.ts";
import { isAgnesError, type Log } from "../../lib/base/mod.ts";
import { prepareSource } from "../../lib/sources/mod.ts";

/** Warns of plugins that could not be loaded, and of sources that cannot be used. No source is called. */
export function warnOfSources({ plugins, workspace }: Agnes, log: Log): void {
  for (const { file, error } of plugins.failures())
    log.warn("a plugin could not be loaded", { file, code: error.code, error });
  for (const [source, config] of Object.entries(workspace.config.sources)) {
    try {
      prepareSource({ plugins, env: process.env }, source, config);
    } catch (error) {
      if (!isAgnesError(error)) throw error;
      log.warn("a source cannot be used", { source, code: error.code, error });
    }
  }
}
