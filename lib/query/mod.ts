export type { CatalogEntry, ColumnDescription, TableDescription } from "./catalog.ts";
export { guardQuery, type GuardedQuery } from "./guard.ts";
export { SQL_LENGTH_MAX } from "./size.ts";
export type { ExtractReceipt, QueryAnswer, Receipt, RemoteReceipt } from "./run.ts";
export type { PushedDown } from "./live/pushed-down.ts";
export type { RemoteWay } from "./opening.ts";
export type { QueryServices } from "./sandbox.ts";
export {
  openQuerySession,
  QuerySession,
  type AccessOptions,
  type QueryRequest,
  type SessionOptions,
} from "./session.ts";
