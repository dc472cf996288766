export { checkConnector, checkPlugin } from "./check.ts";
export { checkHealth, connectSource } from "./connect.ts";
export type { ConnectServices, SourceHandle, SourceToConnect } from "./connect.ts";
export { discoverTables } from "./discover.ts";
export { importModule, loadWorkspacePlugins, PLUGINS_FOLDER } from "./load.ts";
export type { PluginImporter } from "./load.ts";
export { createPluginRegistry } from "./registry.ts";
export type { PluginFailure, PluginRegistry } from "./registry.ts";
