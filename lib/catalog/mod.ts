export * from "./public.ts";
export { FORMAT as FILE_FORMAT } from "./file-witness.ts";
export type { CatalogServices } from "./services.ts";
export { verifyCatalog } from "./verify.ts";
export { hasFileLog } from "./has-file-log.ts";
