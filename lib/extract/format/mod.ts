export { extractTables } from "./layout.ts";
export { EXTRACT_FILE } from "./paths.ts";
