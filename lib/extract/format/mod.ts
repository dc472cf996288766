export type { Generation } from "./extract-state.ts";
export { extractTables } from "./layout.ts";
export { EXTRACT_FILE, generationPath, GENERATIONS_KEPT, PART_GRACE_MS } from "./paths.ts";
