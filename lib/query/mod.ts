export type { CatalogEntry, ColumnDescription, TableDescription } from "./catalog.ts";
export type { QueryResult, Receipt, RemoteReceipt } from "./run.ts";
export type { HybridSources, RegisteredQuery, RegisteredReceipt, RegisterLimits } from "./hybrid/mod.ts";
export type { PushedDown } from "./live/pushed-down.ts";
export { openQuerySession } from "./session.ts";
export type { AccessOptions, Queries, QueryRequest } from "./queries.ts";
export { IsolatedSession } from "./workers/isolated-session.ts";
export { runQueryWorker } from "./workers/run-worker.ts";
export { workerSettings, type WorkerOptions } from "./workers/settings.ts";
