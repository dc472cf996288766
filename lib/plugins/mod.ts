export { checkConnector } from "./check.ts";
export { filesOfFolder, loadWorkspacePlugins, PLUGINS_FOLDER } from "./load.ts";
export type { PluginImporter } from "./load.ts";
export { scaffoldCapabilities } from "./scaffold/parts.ts";
export { scaffoldPlugin } from "./scaffold/scaffold.ts";
export { createPluginRegistry } from "./registry.ts";
export type { PluginFailure, PluginRegistry } from "./registry.ts";
