export { pushMetadata } from "./push-metadata.ts";
export type { PushMetadataReport, PushMetadataRequest } from "./push-metadata.ts";
export { pushRows } from "./push-rows.ts";
export type { PushReport, PushRequest } from "./push-rows.ts";
