export type { CatalogEntry, ColumnDescription, TableDescription } from "./catalog.ts";
export type { QueryResult, Receipt, RemoteReceipt } from "./run.ts";
export type { HybridSources, RegisteredQuery, RegisteredReceipt, RegisterLimits } from "./hybrid/mod.ts";
export type { PushedDown } from "./live/pushed-down.ts";
export type { ShippedStatement } from "./ship/shipped-query.ts";
export { openQuerySession, QuerySession, type AccessOptions, type QueryRequest } from "./session.ts";
