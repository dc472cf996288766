export type { CatalogEntry, ColumnDescription, TableDescription } from "./catalog.ts";
export { guardQuery, SQL_LENGTH_MAX, type GuardedQuery } from "./guard.ts";
export type { ExtractReceipt, QueryAnswer, Receipt } from "./run.ts";
export type { LiveResolver, QueryServices, RemoteWay } from "./sandbox.ts";
export {
  openQuerySession,
  QuerySession,
  type Access,
  type QueryRequest,
  type SessionOptions,
} from "./session.ts";
