export { extensionsOf } from "./extensions.ts";
export { unregisteredExtracts } from "./registry-witness.ts";
export { remoteTables, type RemoteTable } from "./remotes.ts";
export type { SourceReport, SyncReport } from "./report.ts";
export type { SyncServices } from "./source.ts";
export { rebuild, syncSources } from "./sync.ts";
export type { SyncOptions } from "./sync.ts";
export { SyncState } from "./sync-state.ts";
export { dropPublishedTable } from "./unregister.ts";
