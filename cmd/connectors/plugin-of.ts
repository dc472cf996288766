import type { Agnes } from "../../lib/agnes.ts";
import { formatValue, isAgnesError, nearest } from "../../lib/base/mod.ts";
import type { AnyPlugin } from "../../lib/kit/mod.ts";

/** The plugin of a source, or with this name. @throws `plugin_unknown`, with the plugins and sources */
export function pluginOf(
  { plugins, workspace }: Pick<Agnes, "plugins" | "workspace">,
  name: string,
): AnyPlugin {
  const { sources } = workspace.config;
  const source = Object.hasOwn(sources, name) ? sources[name] : undefined;
  if (source !== undefined) return plugins.get(source.plugin);
  try {
    return plugins.get(name);
  } catch (error) {
    if (!isAgnesError(error, "plugin_unknown") || error.details.failed?.isIt === true) throw error;
    const near = nearest(name, [...Object.keys(sources), ...error.details.known]);
    const list = "`agnes connector list` lists the plugins and the sources that use them.";
    const hint = near === undefined ? list : `Did you mean ${formatValue(near)}? ${list}`;
    const message = `there is no plugin or source ${formatValue(name)}`;
    throw error.withDetails(error.details, { cause: error, texts: { message, hint } });
  }
}
