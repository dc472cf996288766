export { isNamed } from "./alias-error.ts";
export type { Hybrid } from "./hybrid.ts";
export { sourceNameOf } from "./check-access.ts";
export { isAlias, openHybrid } from "./open-hybrid.ts";
export type {
  HybridSources,
  IsRead,
  RegisteredQuery,
  RegisteredReceipt,
  RegisterLimits,
  SourceTable,
} from "./types.ts";
