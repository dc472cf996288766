export { createAgnes } from "./create-agnes.ts";
export type { Agnes, AgnesOptions, CheckedEntry, Connectors, QueryOptions } from "./agnes.ts";
export type { RebuildReport, RemoteTable } from "./analytics/mod.ts";
export {
  AgnesError,
  createHost,
  createLog,
  errorCodes,
  isAgnesError,
  nodeFiles,
  silentLog,
} from "./base/mod.ts";
export type {
  ErrorCode,
  ErrorDetails,
  ErrorSpec,
  FileEntry,
  FileIdentity,
  FileKind,
  Files,
  FileStat,
  Host,
  Log,
  LogEntry,
  LogLevel,
  Retry,
} from "./base/mod.ts";
export { fileStorage, memoryStorage } from "./catalog/mod.ts";
export type { CatalogStorage } from "./catalog/mod.ts";
export type { ResultFormat } from "./duckdb/mod.ts";
export type { ExtractProgress, ExtractStats, TableStats } from "./extract/mod.ts";
export type { QueryLimits } from "./kit/mod.ts";
export type { PluginFailure, PluginImporter, PluginRegistry } from "./plugins/mod.ts";
export type {
  AccessOptions,
  CatalogEntry,
  ColumnDescription,
  PushedDown,
  QueryResult,
  Receipt,
  RemoteReceipt,
  TableDescription,
} from "./query/mod.ts";
export type { SourceHandle } from "./sources/mod.ts";
export type { SourceReport, SyncOptions, SyncReport } from "./sync/mod.ts";
export { isDue, nextDue, openTableRegistry, parseSchedule, TableRegistry } from "./tables/mod.ts";
export type {
  ChangeOptions,
  FolderWrite,
  RegisteredTable,
  RegistrationPlan,
  RegistryChange,
  Schedule,
  TableChange,
  TableFilter,
  TableRecord,
  TableRegistryOptions,
  TableWrite,
  Unregistration,
} from "./tables/mod.ts";
export type { SourceConfig, Workspace, WorkspaceConfig, WorkspaceConfigInput } from "./workspace/mod.ts";
export { writeResult } from "./write-result.ts";
export type { WriteResultOptions } from "./write-result.ts";
