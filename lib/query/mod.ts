export type { CatalogEntry, ColumnDescription, TableDescription } from "./catalog.ts";
export {
  documentedTable,
  withRegisteredDescriptions,
  type CheckedEntry,
  type DocumentedTable,
} from "./documented-table.ts";
export type { QueryResult, Receipt, RemoteReceipt } from "./run.ts";
export type { HybridSources, RegisteredQuery, RegisteredReceipt, RegisterLimits } from "./hybrid/mod.ts";
export type { PushedDown } from "./live/pushed-down.ts";
export type { ShippedStatement } from "./ship/shipped-query.ts";
export type { ParamValue, QueryParams } from "./params/literals.ts";
export type { OpenedTable } from "./opened-table.ts";
export { openQuerySession } from "./session.ts";
export { rejected } from "./condition/rejected.ts";
export type { Condition } from "./condition/with-condition.ts";
export type {
  AccessOptions,
  ConditionRequest,
  DescribeOptions,
  EncodedRequest,
  EncodedResult,
  Queries,
  QueryRequest,
  SampleOptions,
  WorkerCounts,
} from "./queries.ts";
export type { QueryServices } from "./query-services.ts";
export { IsolatedSession } from "./workers/isolated-session.ts";
export { runQueryWorker } from "./workers/run-worker.ts";
export { workerSettings, type WorkerOptions, type WorkerSettings } from "./workers/settings.ts";
