import type { AgnesOptions } from "./agnes.ts";
import { silentLog, type Host } from "./base/mod.ts";
import { publishedStates } from "./extract/mod.ts";
import { createPluginRegistry, loadWorkspacePlugins } from "./plugins/mod.ts";
import type { SourceServices } from "./sources/mod.ts";
import { dataPaths, type Workspace } from "./workspace/mod.ts";

/** Loads the plugins of a workspace, and returns what its sources need. A plugin that cannot be loaded is no error. */
export async function workspaceServices(
  host: Host,
  workspace: Workspace,
  options: Pick<AgnesOptions, "importPlugin" | "log" | "onConnect" | "plugins">,
): Promise<SourceServices> {
  const { log = silentLog, onConnect, plugins: bundled } = options;
  const { directory, config } = workspace;
  const loaded = await loadWorkspacePlugins(directory, config.plugins, options.importPlugin, {
    files: host.files,
    taken: bundled.map((plugin) => plugin.name),
  });
  return {
    host,
    log,
    limits: config.limits,
    plugins: createPluginRegistry([...bundled, ...loaded.plugins], loaded.failures),
    workspace,
    publishedStates: (source) => publishedStates(host, dataPaths.extract(workspace.dataDirectory, source)),
    ...(onConnect && { onConnect }),
  };
}
