import type * as v from "valibot";

import type { Secret } from "../../base/mod.ts";
import type { FileChunk, ReadProgress } from "../batch.ts";
import type { Checksum } from "./checksum.ts";
import type { Paging } from "./paging.ts";

/** Query parameters of a URL; a list repeats the parameter once per value, `undefined` omits it. */
export type HttpQuery = Readonly<
  Record<string, string | number | boolean | Secret | readonly (string | number)[] | undefined>
>;

/** Returns the bearer token of the next request, for tokens that expire. */
export type BearerSource = (options: {
  /** Whether the source responded 401 to the previous token. */
  readonly rejected: boolean;
  readonly signal: AbortSignal;
}) => Promise<Secret>;

/** Retry and timeout options of a request. */
export interface HttpRetryOptions {
  /** Maximum number of retries. Default: 5. */
  readonly retries?: number;
  /** Timeout until the response begins, and between chunks of its body. Default: 30 s. */
  readonly attemptTimeoutMs?: number;
  /** Timeout of the call including all retries. Default: 5 min. */
  readonly timeoutMs?: number;
  /**
   * Statuses to retry in addition to 408, 425, 429, 500, 502, 503 and 504, such as 409 of a source that is busy; also for
   * requests that are not idempotent. Not 401, which renews the token. Default: none.
   */
  readonly statuses?: readonly number[];
}

/** Defaults that a client created by `Http.with` adds to every request. */
export interface HttpDefaults extends HttpRetryOptions {
  /** The base of relative URLs. Credentials are sent to this origin only. */
  readonly baseUrl?: string;
  /** Headers whose value is a `Secret`, or whose name refers to a token or key, are credentials. */
  readonly headers?: Readonly<Record<string, string | Secret>>;
  /** Names of further headers that are credentials. */
  readonly credentialHeaders?: readonly string[];
  /** The token for `Authorization: Bearer`, or a function that returns it. */
  readonly bearer?: Secret | BearerSource;
  /** User and password for `Authorization: Basic`. */
  readonly basic?: { readonly user: string | Secret; readonly password: string | Secret };
  /** Parameters added to the query of every request. Default: none. */
  readonly query?: HttpQuery;
  /** Allowed hosts, also for redirects; `*.example.com` allows all subdomains. Default: any. */
  readonly hosts?: readonly string[];
  /** Whether redirects are followed; otherwise, each is `source_refused`. Default: `true`. */
  readonly followRedirects?: boolean;
  /** Maximum number of requests started per second, across the whole source. Default: no limit. */
  readonly requestsPerSecond?: number;
  /** Maximum number of concurrent requests, across the whole source. Default: 8. */
  readonly concurrency?: number;
}

/** One request. */
export interface HttpRequest extends HttpRetryOptions {
  /** Default: `GET`, or `POST` if there is a body. */
  readonly method?: string;
  /** Parameters added to the query of the URL. Default: none. */
  readonly query?: HttpQuery;
  /** Headers in addition to those of the client; a `Secret` is never logged. Default: none. */
  readonly headers?: Readonly<Record<string, string | Secret>>;
  /** A body sent as JSON. Set at most one of `json`, `form` and `body`. Default: no body. */
  readonly json?: unknown;
  /** A body sent as a form. Default: no body. */
  readonly form?: Readonly<Record<string, string | Secret>>;
  /** A body sent unchanged; set its `content-type` in `headers`. Default: no body. */
  readonly body?: string | Uint8Array<ArrayBuffer>;
  /** Aborts the request and its retries. Pass the `signal` of the connector's method. */
  readonly signal?: AbortSignal;
  /** Whether the request is safe to repeat. Default: `true` for GET, HEAD, OPTIONS, PUT and DELETE. */
  readonly idempotent?: boolean;
  /** Status codes besides 2xx that are not errors, such as 404. */
  readonly accept?: readonly number[];
  /** Maximum body size for `json`, `text` and `bytes`. Default: 256 MB. */
  readonly maxBytes?: number;
}

/** A request for JSON; with a `schema` the response is validated and typed. */
export interface HttpJsonRequest<T> extends HttpRequest {
  /** The valibot schema of the body; a mismatch is `source_answer_invalid`. Default: not validated. */
  readonly schema?: v.GenericSchema<unknown, T>;
}

/** A request for pages of JSON. */
export interface HttpPagesRequest<T> extends HttpJsonRequest<T> {
  /** How to find the next page. */
  readonly paging: Paging<T>;
}

/** A request that polls a job until it is done. */
export interface HttpPollRequest<T> extends Omit<HttpJsonRequest<T>, "timeoutMs"> {
  /** Whether the job is done. Throw `permanent(…)` or `transient(…)` if the job failed. */
  readonly isDone: (response: T) => boolean;
  /** The first pause; each next pause is 1.5 times longer, with 20 % jitter. Default: 1 s. */
  readonly pauseMs?: number;
  /** The longest pause, unless Retry-After requires a longer one. Default: 20 s. */
  readonly maxPauseMs?: number;
  /** Timeout of the whole job. Default: 30 min. */
  readonly timeoutMs?: number;
  /** Cancels the job in the source; called if the poll ends before the job. Has a timeout of 5 s. */
  readonly cancel?: (options: { readonly signal: AbortSignal }) => Promise<unknown>;
  /** Returns the phase to report to `onProgress`. Default: `waiting for the source`. */
  readonly phaseOf?: (response: T) => string;
  /** Called after each response while the job is not done. Pass `ReadOptions.onProgress`. */
  readonly onProgress?: ((progress: ReadProgress) => void) | undefined;
}

/** Returns the URL of a file, for signed links and credentials that expire. */
export type DownloadUrl = (options: {
  /** Whether the source rejected the previous URL and its headers. */
  readonly rejected: boolean;
  readonly signal: AbortSignal;
}) => Promise<string | DownloadAddress>;

/** The URL of a file with headers that belong to it, such as a renewed token. */
export interface DownloadAddress {
  readonly url: string;
  /** Headers in addition to those of the file, which they override. Credentials are sent to the origin of `url` only. */
  readonly headers?: DownloadFile["headers"];
}

/** A file that `Http.download` fetches. */
export interface DownloadFile {
  /** The URL, or a function that returns it; the function is called again if the URL is rejected (4xx). */
  readonly url: string | DownloadUrl;
  /**
   * Identifies the content, such as the id of the export and the number of the slice. Unique in the table; different
   * content needs a different key. With a key, a later read resumes a file even if its link changed. Default: the index
   * in the list and the URL without its query; a later read then resumes only with a strong ETag.
   */
  readonly key?: string;
  /** Additional headers. Credentials are sent to the origin of `url` only. */
  readonly headers?: Readonly<Record<string, string | Secret>>;
  /** The size in bytes, if known; a different size is an error. */
  readonly sizeBytes?: number;
  /** The checksum of the content if known, or a function that gets it from the response headers. */
  readonly checksum?: Checksum | ((headers: Headers) => Checksum | undefined);
  /** See `FileChunk.origin`. */
  readonly origin?: string;
  /** See `FileChunk.label`. Default: the position, as in `file 3 of the download`. */
  readonly label?: string;
  /** See `FileChunk.constants`. */
  readonly constants?: FileChunk["constants"];
}

/** How to download and read files. */
export interface HttpDownloadRequest
  extends
    Omit<FileChunk, "kind" | "data" | "origin" | "label" | "constants">,
    Pick<HttpRetryOptions, "retries" | "attemptTimeoutMs"> {
  /** The folder of the files: pass `ReadOptions.directory`. Default: a temporary folder, removed at the end. */
  readonly directory?: string | undefined;
  /** Maximum number of concurrent downloads, which is also the maximum read-ahead. Default: 4. */
  readonly concurrency?: number;
  /** Stops all downloads. Pass `ReadOptions.signal`. */
  readonly signal?: AbortSignal;
  /** Called while bytes arrive, with the phase (`downloading 3 of 12`) and the total bytes if known. */
  readonly onProgress?: ((progress: ReadProgress) => void) | undefined;
}

/** A response with an unread body; read it, iterate over it or `cancel` it. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Headers;
  /** The final URL, without its query. */
  readonly url: string;
  /** The body in chunks; throws `source_unavailable` if the next chunk does not arrive in time. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Reads the whole body as JSON; throws `source_answer_invalid` if it is not JSON, and the errors of `bytes`. */
  json<T = unknown>(): Promise<T>;
  /** Reads the whole body as UTF-8 text; throws the errors of `bytes`. */
  text(): Promise<string>;
  /** Reads the whole body; throws `source_answer_invalid` if it exceeds `maxBytes`, and `source_unavailable`. */
  bytes(): Promise<Uint8Array>;
  /** Discards the body and frees the connection. */
  cancel(): Promise<void>;
}

/**
 * HTTP client for connectors, passed to `connect` as `http`.
 *
 * Retries on 408, 425, 429, 500, 502, 503, 504, dropped connections and timeouts, with `Retry-After` or exponential
 * backoff. Shares one rate limit across the source, logs every request without secrets or query, each retry with level
 * `info`, and follows redirects without sending credentials to another origin.
 *
 * Throws `source_unavailable` (transient), `source_unauthorized` for 401 and 403, `source_refused` for other statuses,
 * `source_answer_invalid`, `aborted`; all with `status` and `url` where known.
 *
 * @example
 * ```ts
 * import { Secret, type Http } from "agnes/kit";
 * async function* contacts(http: Http, token: Secret, signal: AbortSignal) {
 *   const api = http.with({ baseUrl: "https://api.hubapi.com", bearer: token, requestsPerSecond: 10 });
 *   const paging = { kind: "cursor", parameter: "after", cursor: "paging.next.after" } as const;
 *   for await (const page of api.pages<{ results: { id: string }[] }>("/crm/v3/objects/contacts", { paging, signal })) {
 *     yield page.results;
 *   }
 * }
 * ```
 */
export interface Http {
  /** Returns a client that adds `defaults` to every request and shares the rate limit with this one. */
  with(defaults: HttpDefaults): Http;
  /** Sends a request and resolves when the response begins. Reading the body is not retried. */
  request(url: string, request?: HttpRequest): Promise<HttpResponse>;
  /** Returns the body as JSON; a connection lost while reading is retried. */
  json<T = unknown>(url: string, request?: HttpJsonRequest<T>): Promise<T>;
  /** Returns the body as text. */
  text(url: string, request?: HttpRequest): Promise<string>;
  /** Returns the body as bytes. */
  bytes(url: string, request?: HttpRequest): Promise<Uint8Array>;
  /** Yields all pages in order, each as JSON. */
  pages<T = unknown>(url: string, request: HttpPagesRequest<T>): AsyncGenerator<T, void, void>;
  /**
   * Polls a job until it is done, and returns its last response.
   *
   * Pauses grow, with jitter; Retry-After is respected, also in successful responses. If the source is not reachable, the
   * poll continues until the sixth failure in a row or the deadline. `signal` stops it immediately, also in a pause.
   *
   * @throws `timed_out` after `timeoutMs`; what `isDone` throws; what `json` throws
   * @example
   * ```ts
   * import { permanent, type Http } from "agnes/kit";
   * interface Job { readonly status: "waiting" | "success" | "error"; readonly message: string }
   * const job = async (api: Http, id: number, signal: AbortSignal) =>
   *   api.poll<Job>(`/v1/jobs/${id}`, {
   *     isDone({ status, message }) {
   *       if (status === "error") throw permanent(`the export failed: ${message}`);
   *       return status === "success";
   *     },
   *     cancel: ({ signal }) => api.request(`/v1/jobs/${id}`, { method: "DELETE", signal }),
   *     signal,
   *   });
   * ```
   */
  poll<T = unknown>(url: string, request: HttpPollRequest<T>): Promise<T>;
  /**
   * Downloads files concurrently and yields each as a file chunk, in the order of the list.
   *
   * A dropped connection resumes with Range and If-Range. The download restarts if the source does not support ranges or
   * the content changed. Size and checksum are verified if known, and disk space is checked first. Bytes are written to
   * `directory` as they arrive, so memory use stays constant; an interrupted read resumes from there.
   *
   * Credentials of the client are sent to the origin of its `baseUrl` only, never to the host of a signed link.
   *
   * @throws `source_unavailable` after `retries` attempts (default: 5) without a new byte, `source_unauthorized`
   *   and `source_refused` if a link is rejected, `source_answer_invalid` for a wrong size or checksum,
   *   `disk_full`, `file_failed`, `invalid_input` for two files with one key, `aborted`
   * @example
   * ```ts
   * import type { Http, ReadOptions } from "agnes/kit";
   * async function* slices(http: Http, links: readonly string[], { directory, onProgress, signal }: ReadOptions) {
   *   yield* http.download(links, { format: "csv", directory, onProgress, signal });
   * }
   * ```
   */
  download(
    files: Iterable<string | DownloadFile> | AsyncIterable<string | DownloadFile>,
    request: HttpDownloadRequest,
  ): AsyncGenerator<FileChunk, void, void>;
}
