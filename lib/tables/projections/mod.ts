export { renderProjection } from "./export.ts";
export type { ProjectionFormat } from "./export.ts";
export { parseDataDescription } from "./parse-data-description.ts";
export { parseRegistryJson } from "./registry-json.ts";
