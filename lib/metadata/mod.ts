export { MetadataCache } from "./metadata-cache.ts";
export { MetadataStore } from "./store.ts";
export { metadataSettings } from "./settings.ts";
export { storedFigures } from "./stored-figures.ts";
export type {
  CachedMetadata,
  MetadataFailure,
  MetadataRefresh,
  MetadataRun,
  MetadataStatus,
  RefreshCounts,
  TableMetadataStatus,
  TableRefresh,
} from "./types.ts";
