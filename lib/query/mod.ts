export type { CatalogEntry, ColumnDescription, TableDescription } from "./catalog.ts";
export { documentedTable, type CheckedEntry, type DocumentedTable } from "./documented-table.ts";
export type { QueryResult, Receipt, RemoteReceipt } from "./run.ts";
export type { HybridSources, RegisteredQuery, RegisteredReceipt, RegisterLimits } from "./hybrid/mod.ts";
export type { PushedDown } from "./live/pushed-down.ts";
export type { ShippedStatement } from "./ship/shipped-query.ts";
export { openQuerySession } from "./session.ts";
export type {
  AccessOptions,
  EncodedRequest,
  EncodedResult,
  Queries,
  QueryRequest,
  WorkerCounts,
} from "./queries.ts";
export { IsolatedSession } from "./workers/isolated-session.ts";
export { runQueryWorker } from "./workers/run-worker.ts";
export { workerSettings, type WorkerOptions, type WorkerSettings } from "./workers/settings.ts";
