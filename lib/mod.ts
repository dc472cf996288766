export { createAgnes } from "./create-agnes.ts";
export type { Agnes, AgnesOptions, Connectors, QueryOptions } from "./agnes.ts";
export type { RebuildReport, RemoteTable } from "./analytics/mod.ts";
export { AgnesError, createLog, isAgnesError } from "./base/mod.ts";
export type { ErrorCode, ErrorDetails, Files, Host, Log, LogEntry, LogLevel, Retry } from "./base/mod.ts";
export type { ResultFormat } from "./duckdb/mod.ts";
export type { ExtractProgress, ExtractStats, TableStats } from "./extract/mod.ts";
export type { QueryLimits } from "./kit/mod.ts";
export type { PluginFailure, PluginRegistry } from "./plugins/mod.ts";
export type {
  AccessOptions,
  CatalogEntry,
  CheckedEntry,
  ColumnDescription,
  DocumentedTable,
  PushedDown,
  QueryResult,
  Receipt,
  RegisteredQuery,
  RegisteredReceipt,
  RegisterLimits,
  RemoteReceipt,
  ShippedStatement,
  TableDescription,
  WorkerOptions,
} from "./query/mod.ts";
export { runQueryWorker } from "./query/mod.ts";
export { SignIn } from "./serve/mod.ts";
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
export type { SourceHandle } from "./sources/mod.ts";
export type { SourceReport, SyncOptions, SyncReport } from "./sync/mod.ts";
export type {
  ChangeOptions,
  FolderWrite,
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
