export { AgnesError, isAgnesError, reasonOf } from "./agnes-error.ts";
export { errorCodes, isDataCode } from "./codes.ts";
export type { ErrorCode, ErrorDetails } from "./codes.ts";
export { shown } from "./spec.ts";
export type { ErrorSpec, Retry } from "./spec.ts";
export { displayWidth } from "./place.ts";
export type { SqlPlace } from "./place.ts";
export { causesOf, inspected, messageOf, readableError } from "./thrown.ts";
