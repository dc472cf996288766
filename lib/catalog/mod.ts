export * from "./public.ts";
export { hasFileLog } from "./has-file-log.ts";
