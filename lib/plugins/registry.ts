import { AgnesError, isAgnesError, nearest } from "../base/mod.ts";
import type { AnyPlugin } from "../kit/mod.ts";
import { checkPlugin } from "./check.ts";

/** A plugin that could not be loaded, with the error. */
export interface PluginFailure {
  /** The file or package of the plugin. */
  readonly file: string;
  readonly error: AgnesError;
}

/** The available plugins. */
export interface PluginRegistry {
  /** Returns all plugins, sorted by name. */
  list(): readonly AnyPlugin[];
  /** @throws `plugin_unknown` with the nearest name */
  get(name: string): AnyPlugin;
  /** Returns the plugins that could not be loaded. */
  failures(): readonly PluginFailure[];
}

/**
 * Creates a registry of plugins.
 *
 * @param failures the plugins that could not be loaded
 * @throws `plugin_invalid` if one is not a plugin or two have the same name
 */
export function createPluginRegistry(
  plugins: readonly AnyPlugin[],
  failures: readonly PluginFailure[] = [],
): PluginRegistry {
  const byName = new Map<string, AnyPlugin>();
  for (const plugin of plugins) {
    checkPlugin(plugin);
    if (byName.has(plugin.name)) {
      throw new AgnesError("plugin_invalid", {
        plugin: plugin.name,
        reason: "another plugin has the same name",
      });
    }
    byName.set(plugin.name, plugin);
  }
  const names = [...byName.keys()].sort();
  return {
    list: () => names.map((name) => byName.get(name)!),
    get: (name) => {
      const plugin = byName.get(name);
      if (plugin !== undefined) return plugin;
      const near = nearest(name, names);
      const own = failures.filter((failure) => hasName(failure, name));
      const failed = own.length > 0 ? own : failures;
      const reasons = failed.map(({ error }) => error.message);
      throw new AgnesError("plugin_unknown", {
        plugin: name,
        known: names,
        ...(near === undefined ? {} : { nearest: near }),
        ...(failed.length === 0 ? {} : { failed: { isIt: own.length > 0, reasons } }),
      });
    },
    failures: () => failures,
  };
}

/** Returns whether a plugin that could not be loaded has a name, by its `name` or by its file or folder. */
function hasName({ file, error }: PluginFailure, name: string): boolean {
  if (isAgnesError(error, "plugin_invalid") && error.details.plugin === name) return true;
  const [base = "", folder] = file.split(/[\\/]/).reverse();
  const stem = base.replace(/\.m?[jt]s$/, "");
  return stem === name || (stem === "plugin" && folder === name);
}
