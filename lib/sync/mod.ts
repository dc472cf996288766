export type { SourceReport, SyncReport } from "./report.ts";
export type { SyncServices } from "./source.ts";
export { rebuild, syncSources, unknownSource } from "./sync.ts";
export type { SyncOptions } from "./sync.ts";
