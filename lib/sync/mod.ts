export { unregisteredExtracts } from "./registry-witness.ts";
export { conditionsProblem } from "./conditions-problem.ts";
export type { SourceReport, SyncReport } from "./report.ts";
export { syncSources } from "./sync.ts";
export type { SyncOptions } from "./sync.ts";
export { SyncState } from "./sync-state.ts";
export { dropPublishedTable } from "./unregister.ts";
