export * from "./public.ts";
export { FORMAT as FILE_FORMAT } from "./file-witness.ts";
export { hasFileLog } from "./has-file-log.ts";
