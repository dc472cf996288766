export { createHttp } from "./client.ts";
export type { HttpServices } from "./client.ts";
export type {
  BearerSource,
  Http,
  HttpAnswer,
  HttpDefaults,
  HttpJsonRequest,
  HttpPagesRequest,
  HttpPatience,
  HttpQuery,
  HttpRequest,
} from "./http.ts";
export type { BodyPath, Paging } from "./paging.ts";
