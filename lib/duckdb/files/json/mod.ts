export { inspectJson } from "./inspect.ts";
export type { InspectedJson } from "./inspect.ts";
export { locateJsonMisfit, openJson } from "./open.ts";
export type { OpenedJson } from "./open.ts";
