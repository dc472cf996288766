export { openLiveTables } from "./live.ts";
export type { LiveTables } from "./live.ts";
export type { SourceReport, SyncReport } from "./report.ts";
export { openSource, unknownSource } from "./source.ts";
export type { SyncServices } from "./source.ts";
export { rebuild, syncSources } from "./sync.ts";
export type { SyncOptions } from "./sync.ts";
export { SyncState } from "./sync-state.ts";
export { dropPublishedTable } from "./unregister.ts";
