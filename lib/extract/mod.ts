export { MATERIALIZE_TIMEOUT_MS } from "./query-attempts.ts";
export { changeExtract } from "./change-extract.ts";
export type { ChangedTable, ChangedTables, ChangingExtract } from "./change-extract.ts";
export { extractSource } from "./extract-source.ts";
export { checkPlan } from "./job/plan.ts";
export { isPushedOnly } from "./job/pushed-only.ts";
export { checkConditions } from "./schema/check-conditions.ts";
export type { TablePlan } from "./job/plan.ts";
export type {
  ExtractState,
  Part,
  PublishedColumn,
  PublishedTable,
  SchemaVersion,
} from "./format/extract-state.ts";
export { columnsOf } from "./schema/column.ts";
export { describeChange } from "./schema/diff.ts";
export { fullReadingText } from "./schema/reading.ts";
export type { ExtractServices, ExtractSource } from "./job/services.ts";
export { summarise } from "./stats.ts";
export type { ExtractProgress, ExtractStats, TableStats } from "./stats.ts";
export { keysInUse } from "./keys-in-use.ts";
export { keptNumbers, listGenerations, readGeneration } from "./state/generations.ts";
export { rollbackExtract } from "./publish/rollback.ts";
export { publishedStates } from "./state/published-states.ts";
export { wasPublished } from "./state/was-published.ts";
export { definitionOf, publishedKey } from "./job/definition.ts";
export { readExtract } from "./state/read-extract.ts";
export { checkCopy, copiedTable, isSameCopy, isTableName, publishCopy } from "./copy-extract.ts";
export type { CopiedTable } from "./copy-extract.ts";
export { sha256OfFile } from "./write/finish-parts.ts";
