export type { DuckDBLimits } from "../duckdb/mod.ts";
export { extractSource } from "./extract-source.ts";
export type { ExtractRequest } from "./extract-source.ts";
export type { Granularity, QueryMode, Strategy, TablePlan } from "./plan.ts";
export { columnsOf } from "./schema/column.ts";
export type { PublishedColumn } from "./schema/column.ts";
export { describeChange } from "./schema/diff.ts";
export type { SchemaChange } from "./schema/diff.ts";
export { readingText } from "./schema/reading.ts";
export { partsQuery } from "./schema/view.ts";
export type { ExtractServices, ExtractSource } from "./services.ts";
export type { ExtractProgress, ExtractStats, TableStats } from "./stats.ts";
export { findTable } from "./state/extract-state.ts";
export type {
  ExtractState,
  Generation,
  Part,
  PublishedTable,
  SchemaVersion,
  Tombstone,
} from "./state/extract-state.ts";
export { listGenerations, rollbackExtract } from "./state/generations.ts";
export type { ListedGeneration } from "./state/generations.ts";
export { publishedStates } from "./state/published-states.ts";
export { wasPublished } from "./state/was-published.ts";
export { publishedKey } from "./decide.ts";
export { readExtract } from "./state/read-extract.ts";
export { runStream } from "./stream/run-stream.ts";
export type { StreamRequest, StreamStats } from "./stream/run-stream.ts";
export { Spool } from "./stream/spool.ts";
export { writeTable } from "./write-table.ts";
export type { WriteRequest } from "./write-table.ts";
