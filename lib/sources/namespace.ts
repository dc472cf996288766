import { checkAgainst, type Log } from "../base/mod.ts";
import type { PluginRegistry } from "../plugins/mod.ts";
import type { SourceToConnect } from "./prepare-source.ts";

/** Returns what precedes the names of a source's tables in its own SQL; undefined if there is nothing, or it is not known. */
export function namespaceOf(
  { plugins, log }: { readonly plugins: Pick<PluginRegistry, "get">; readonly log: Log },
  source: string,
  config: SourceToConnect,
): string | undefined {
  try {
    const plugin = plugins.get(config.plugin);
    if (plugin.namespace === undefined) return undefined;
    const options = checkAgainst(plugin.options, config.options ?? {}, `sources.${source}.options`);
    return plugin.namespace(options as never);
  } catch (error) {
    // Queries of other sources must run. What is wrong with this one is reported when it is opened.
    log.debug("the namespace of a source is not known", { source, error });
    return undefined;
  }
}
