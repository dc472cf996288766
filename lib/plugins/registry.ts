import { AgnesError, isAgnesError, nearest } from "../base/mod.ts";
import type { AnyPlugin } from "../kit/mod.ts";
import { checkPlugin } from "./check.ts";

/** A plugin that could not be used, and why. */
export interface PluginFailure {
  /** The file or package it should have come from. */
  readonly file: string;
  readonly error: AgnesError;
}

/** The plugins there are, by name. */
export interface PluginRegistry {
  /** All plugins, by name. */
  list(): readonly AnyPlugin[];
  /** @throws `plugin_unknown` naming the nearest one */
  get(name: string): AnyPlugin;
  /** Those that could not be loaded. */
  failures(): readonly PluginFailure[];
}

/**
 * Makes the registry of the given plugins.
 *
 * @param failures what to report beside them
 * @throws `plugin_invalid` when one is not a plugin or two have one name
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
      const own = failures.filter((failure) => isOf(failure, name));
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

/** Whether a plugin that could not be loaded is the one of a name: by what it says, or by its file or folder. */
function isOf({ file, error }: PluginFailure, name: string): boolean {
  if (isAgnesError(error, "plugin_invalid") && error.details.plugin === name) return true;
  const [base = "", folder] = file.split(/[\\/]/).reverse();
  const stem = base.replace(/\.m?[jt]s$/, "");
  return stem === name || (stem === "plugin" && folder === name);
}
