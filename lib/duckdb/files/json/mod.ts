export { inspectJson } from "./inspect.ts";
export type { InspectedJson } from "./inspect.ts";
export { openJsonFile } from "./open-json-file.ts";
