export * from "./public.ts";
export { isDeletions, isFileChunk, isRows } from "./batch.ts";
export { capabilities } from "./capability.ts";
export { capabilityMethods, optionalMethods } from "./connector.ts";
export type { QueryLimits } from "./connector.ts";
export { entityTypes } from "./metadata.ts";
export { secretKinds } from "./plugin.ts";
export { createHttp } from "./http/mod.ts";
export type { RowReject } from "./rows/mod.ts";
