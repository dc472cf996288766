export { auditLines, renderProjection, snapshotOf, writeProjection } from "./export.ts";
export type { ProjectionFormat } from "./export.ts";
export { renderDataDescription } from "./data-description.ts";
export { parseDataDescription } from "./parse-data-description.ts";
export type { ParseOptions } from "./parse-data-description.ts";
export { parseRegistryJson, renderRegistryJson } from "./registry-json.ts";
