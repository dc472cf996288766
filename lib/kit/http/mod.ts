export type { Checksum } from "./checksum.ts";
export { createHttp } from "./client.ts";
export type {
  BearerSource,
  DownloadFile,
  DownloadAddress,
  DownloadUrl,
  Http,
  HttpResponse,
  HttpDefaults,
  HttpDownloadRequest,
  HttpJsonRequest,
  HttpPagesRequest,
  HttpRetryOptions,
  HttpPollRequest,
  HttpQuery,
  HttpRequest,
} from "./http.ts";
export type { BodyPath, Paging } from "./paging.ts";
export { backoffMs, isTransientStatus, retryAfterMs } from "./retry.ts";
