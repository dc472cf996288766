export {
  databaseNames,
  tableId,
  type AnalyticsSource,
  type AnalyticsState,
  type AnalyticsTable,
  type RemoteDatabase,
  type RemotePlace,
  type TableWay,
} from "./model.ts";
export { findUnsafe } from "./extracts/as-checked.ts";
export { openAsChecked } from "./extracts/open-as-checked.ts";
export { digestObjects } from "./extracts/objects.ts";
export { analyticsPath } from "./paths.ts";
export { planNames, type NameConflict, type NameOwner, type NamePlan } from "./views/plan-names.ts";
export { rebuildAnalytics } from "./rebuild.ts";
export type { AnalyticsServices, ConfiguredSource, DeclaredRemote, RebuildRequest } from "./request.ts";
export { attachFailure, attachRemote, secretValues } from "./remote/attach.ts";
export { ATTACH_TIMEOUT_MS, attachWithin } from "./remote/attach-within.ts";
export { checkRemotes, type RemoteCheck } from "./remote/check.ts";
export {
  attachSettings,
  namedExtensions,
  planAttach,
  type AttachPlan,
  type NamedExtension,
} from "./remote/plan.ts";
export { refusalOf, type RemoteRequest } from "./remote/refusal.ts";
export { readRebuildReport, type PublishedName, type RebuildReport, type RemoteReport } from "./report.ts";
export { readAnalyticsState } from "./state.ts";
export { extensionsOf } from "./workspace/extensions.ts";
export { rebuild } from "./workspace/rebuild.ts";
export type { RebuildServices } from "./workspace/rebuild.ts";
export { Rebuilds } from "./workspace/rebuilds.ts";
export { remoteTables, type RemoteTable } from "./workspace/remote-tables.ts";
