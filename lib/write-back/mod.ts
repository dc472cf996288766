export { pushRows } from "./push-rows.ts";
export type { PushReport, PushRequest, WriteBackServices } from "./push-rows.ts";
