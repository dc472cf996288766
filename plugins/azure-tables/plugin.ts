export { azureTablesStorage } from "./storage.ts";
export type { AzureTablesOptions } from "./storage.ts";
