export type { Checksum } from "./checksum.ts";
export { createHttp } from "./client.ts";
export type { HttpServices } from "./client.ts";
export type {
  BearerSource,
  DownloadFile,
  DownloadUrl,
  Http,
  HttpAnswer,
  HttpDefaults,
  HttpDownloadRequest,
  HttpJsonRequest,
  HttpPagesRequest,
  HttpPatience,
  HttpPollRequest,
  HttpQuery,
  HttpRequest,
} from "./http.ts";
export type { BodyPath, Paging } from "./paging.ts";
