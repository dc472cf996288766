export { openCatalog } from "./catalog.ts";
export { fileStorage } from "./file-storage.ts";
export type { FileStorageOptions } from "./file-storage.ts";
export { memoryStorage } from "./memory-storage.ts";
export type {
  CatalogSchema,
  CatalogStorage,
  CatalogStore,
  IndexedRow,
  IndexValue,
  JsonRecord,
  JsonValue,
  KeyRange,
  LogEntry,
  LoggedChange,
  LogRetention,
  Lookup,
} from "./storage.ts";
export type {
  Catalog,
  CatalogFilter,
  CatalogOptions,
  CatalogView,
  Commit,
  CommittedChange,
  Edit,
  HistoryEntry,
  HistoryOptions,
  Inserted,
  QueryOptions,
  Recovered,
  RowKey,
  Versioned,
  WriteOptions,
} from "./types.ts";
