export { auditLines, renderProjection, snapshotOf, writeProjection } from "./export.ts";
export type { ProjectionFormat, ProjectionOptions } from "./export.ts";
export { renderDataDescription } from "./data-description.ts";
export { parseDataDescription } from "./parse-data-description.ts";
export type { ParseOptions } from "./upstream.ts";
export { parseRegistryJson, renderRegistryJson } from "./registry-json.ts";
