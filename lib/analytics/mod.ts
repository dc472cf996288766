export {
  databaseNames,
  tableId,
  withoutDatabases,
  type AnalyticsState,
  type AnalyticsTable,
  type RemoteDatabase,
} from "./model.ts";
export { findUnsafe } from "./extracts/unsafe-files.ts";
export { openUnchanged } from "./extracts/open-unchanged.ts";
export { digestObjects } from "./extracts/objects.ts";
export { analyticsPath } from "./paths.ts";
export type { NameConflict } from "./views/plan-names.ts";
export { attachFailure, attachRemote, secretValues } from "./remote/attach.ts";
export { ATTACH_TIMEOUT_MS, attachWithTimeout } from "./remote/attach-with-timeout.ts";
export { attachSettings, type NamedExtension } from "./remote/plan.ts";
export { refusalOf } from "./remote/refusal.ts";
export { readRebuildReport, type RebuildReport } from "./report.ts";
export { OTHER_FORMAT_REASON, readAnalyticsState } from "./state.ts";
export { extensionsOf } from "./workspace/extensions.ts";
export { outdatedSources } from "./workspace/outdated.ts";
export { rebuild } from "./workspace/rebuild.ts";
export type { RebuildOptions, RebuildServices } from "./workspace/rebuild.ts";
export { Rebuilds } from "./workspace/rebuilds.ts";
export { remoteTables, type RemoteTable } from "./workspace/remote-tables.ts";
