export { createAgnes } from "./create-agnes.ts";
export type { Agnes, AgnesOptions, Metadata, QueryOptions } from "./agnes.ts";
export type { RebuildOptions, RebuildReport, RemoteTable } from "./analytics/mod.ts";
export { AgnesError, createLog, isAgnesError } from "./base/mod.ts";
export type { ErrorCode, ErrorDetails, Files, Host, Log, LogEntry, LogLevel, Retry } from "./base/mod.ts";
export type { ResultFormat } from "./duckdb/mod.ts";
export type { ExtractProgress, ExtractStats, TableStats } from "./extract/mod.ts";
export type { QueryLimits } from "./kit/mod.ts";
export type {
  CachedMetadata,
  MetadataFailure,
  MetadataRefresh,
  MetadataRun,
  MetadataStatus,
  RefreshCounts,
  TableMetadataStatus,
  TableRefresh,
} from "./metadata/mod.ts";
export type { PulledTable, PullOptions, PullProgress, PullReport } from "./pull/mod.ts";
export type { PluginFailure, PluginRegistry } from "./plugins/mod.ts";
export type {
  AlertType,
  BooleanStats,
  ColumnAlert,
  ColumnProfile,
  DateStats,
  Histogram,
  NumericStats,
  ProfileOptions,
  ProfileOutcome,
  ProfileValue,
  RelatedTable,
  StringStats,
  TableProfile,
  TypeCategory,
} from "./profile/mod.ts";
export type {
  AccessOptions,
  CatalogEntry,
  CheckedEntry,
  ColumnDescription,
  DescribeOptions,
  DocumentedTable,
  PushedDown,
  QueryResult,
  Receipt,
  ParamValue,
  QueryParams,
  RegisteredQuery,
  RegisteredReceipt,
  RegisterLimits,
  RemoteReceipt,
  SampleOptions,
  ShippedStatement,
  TableDescription,
  WorkerOptions,
} from "./query/mod.ts";
export { runQueryWorker } from "./query/mod.ts";
export { runSyncProcess } from "./sync-process.ts";
export { ServerState } from "./serve/mod.ts";
export type {
  Authorize,
  AuthorizedTable,
  Grants,
  NewToken,
  Principal,
  RequestInfo,
  Role,
  ServerOptions,
  TokenInfo,
  Tokens,
} from "./serve/mod.ts";
export type {
  EventsReport,
  Run,
  RunError,
  RunHistory,
  RunsOptions,
  RunStatus,
  RunTable,
  RunTrigger,
  RunWithProgress,
  SourceReport,
  SyncOptions,
  SyncProcessOptions,
  HealthState,
  SourceHealth,
  SyncReport,
  TableProgress,
  TableStatus,
  TableSyncStatus,
  Timeline,
  TimelineEntry,
  TimelineKind,
  TimelineOptions,
} from "./sync/mod.ts";
export type { Connectors, SourceHandle } from "./sources/mod.ts";
export type {
  ChangeOptions,
  FolderWrite,
  MetadataFreshness,
  RegisteredTable,
  RegistrationPlan,
  RegistryChange,
  TableChange,
  TableFilter,
  TableRecord,
  TableRegistry,
  TableWrite,
  Unregistration,
} from "./tables/mod.ts";
export type { Workspace, WorkspaceConfig, WorkspaceConfigInput } from "./workspace/mod.ts";
export { writeResult } from "./write-result.ts";
export type { WriteResultOptions } from "./write-result.ts";
export type { PushMetadataReport, PushMetadataRequest, PushReport, PushRequest } from "./write-back/mod.ts";
