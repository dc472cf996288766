export { pushRows } from "./push-rows.ts";
export type { PushReport, PushRequest } from "./push-rows.ts";
