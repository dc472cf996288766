export { inspectJson } from "./inspect.ts";
export { openJsonFile } from "./open-json-file.ts";
