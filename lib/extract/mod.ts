export type { DuckDBLimits } from "../duckdb/mod.ts";
export { changeExtract } from "./change-extract.ts";
export type { ChangedTables, ChangingExtract } from "./change-extract.ts";
export { extractSource } from "./extract-source.ts";
export type { ExtractRequest } from "./extract-source.ts";
export { checkPlan } from "./job/plan.ts";
export type { TablePlan } from "./job/plan.ts";
export type {
  ExtractState,
  Generation,
  Part,
  PublishedColumn,
  PublishedTable,
  SchemaChange,
  SchemaVersion,
  Tombstone,
} from "./format/extract-state.ts";
export { columnsOf } from "./schema/column.ts";
export { describeChange } from "./schema/diff.ts";
export { fullReadingText } from "./schema/reading.ts";
export { partsQuery } from "./schema/view.ts";
export type { ExtractServices, ExtractSource } from "./job/services.ts";
export type { ExtractProgress, ExtractStats, TableStats } from "./stats.ts";
export { findTable } from "./format/extract-state.ts";
export { listGenerations } from "./state/generations.ts";
export { rollbackExtract } from "./publish/rollback.ts";
export type { ListedGeneration } from "./state/generations.ts";
export { publishedStates } from "./state/published-states.ts";
export { wasPublished } from "./state/was-published.ts";
export { publishedKey } from "./job/definition.ts";
export { readExtract } from "./state/read-extract.ts";
export { writeTable } from "./write-table.ts";
export type { WriteRequest } from "./write-table.ts";
