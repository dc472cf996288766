export { unregisteredExtracts } from "./registry-witness.ts";
export type { EventsReport } from "./merge-events.ts";
export type { SourceReport, SyncReport } from "./report.ts";
export { takeParent } from "./child/parent.ts";
export type { TaskParent } from "./child/parent.ts";
export type { HealthTask, ProfilesTask, SourceTask, TaskWorkspace } from "./child/messages.ts";
export { checkSources } from "./health/check-source.ts";
export { syncProcessSettings } from "./child/settings.ts";
export type { SyncProcessOptions, SyncProcessSettings } from "./child/settings.ts";
export { healthProcess } from "./child/health-process.ts";
export { syncSource } from "./source.ts";
export { syncSources } from "./sync.ts";
export type { SyncOptions } from "./sync.ts";
export { Runs } from "./runs/runs.ts";
export type { RunHistory, RunsOptions } from "./runs/runs.ts";
export type {
  Run,
  RunError,
  RunStatus,
  RunTable,
  RunTrigger,
  RunWithProgress,
  TableProgress,
} from "./runs/types.ts";
export { sourceWarnings } from "./source-warnings.ts";
export { HealthChecks } from "./health/health-checks.ts";
export type { HealthProcess, SourceHealth } from "./health/health-checks.ts";
export { HealthRecords } from "./health/health-records.ts";
export type { HealthState } from "./health/health-records.ts";
export { SyncState } from "./sync-state.ts";
export { dropPublishedTable } from "./unregister.ts";
export { syncStatus, tableStatuses } from "./sync-status.ts";
export type { TableStatus, TableSyncStatus } from "./sync-status.ts";
export { storedRun, storedSyncStatus, storedTimelineEntry } from "./stored.ts";
export { readTimeline } from "./timeline/timeline.ts";
export type { Timeline, TimelineEntry, TimelineKind, TimelineOptions } from "./timeline/types.ts";
export { Scheduler, takeLease } from "./schedule/scheduler.ts";
export type { ScheduledJob, SchedulerState } from "./schedule/scheduler.ts";
export { requestedTables } from "./sync.ts";
