export { checkAgainst } from "../base/mod.ts";
export { checkConfig } from "./check.ts";
export { workspaceConfig } from "./config.ts";
export type { SourceConfig, WorkspaceConfig, WorkspaceConfigInput } from "./config.ts";
export type { ServerConfig } from "./server-config.ts";
export { placedError } from "./placed-error.ts";
export { CONFIG_FILE, dataDirectoryOf, dataPaths, openWorkspace } from "./workspace.ts";
export type { Workspace } from "./workspace.ts";
