export { checkAgainst } from "../base/mod.ts";
export { checkConfig } from "./check.ts";
export { sourceConfig, workspaceConfig } from "./config.ts";
export type { SourceConfig, WorkspaceConfig, WorkspaceConfigInput } from "./config.ts";
export { placedError } from "./placed-error.ts";
export type { PlaceOf } from "./placed-error.ts";
export { CONFIG_FILE, dataDirectoryOf, dataPaths, findWorkspace, openWorkspace } from "./workspace.ts";
export type { Workspace } from "./workspace.ts";
