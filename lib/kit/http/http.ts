import type * as v from "valibot";

import type { Secret } from "../../base/mod.ts";
import type { FileChunk, ReadProgress } from "../batch.ts";
import type { Checksum } from "./checksum.ts";
import type { Paging } from "./paging.ts";

/** Values of a URL's query; a list gives the parameter once per value, `undefined` leaves it out. */
export type HttpQuery = Readonly<
  Record<string, string | number | boolean | Secret | readonly (string | number)[] | undefined>
>;

/** Gives the bearer token of the next request, for tokens that expire. */
export type BearerSource = (options: {
  /** Whether the source just answered 401 to the token given before. */
  readonly rejected: boolean;
  readonly signal: AbortSignal;
}) => Promise<Secret>;

/** How one request is tried; every figure has a default. */
export interface HttpPatience {
  /** How often a request is tried again. Default 5. */
  readonly retries?: number;
  /** Longest wait for an answer to begin, and for each further piece of it. Default 30 s. */
  readonly attemptTimeoutMs?: number;
  /** Longest time for one call with all its tries. Default 5 min. */
  readonly timeoutMs?: number;
}

/** What a client derived by `Http.with` adds to every request. */
export interface HttpDefaults extends HttpPatience {
  /** Where relative paths start. Credentials go to this origin only. */
  readonly baseUrl?: string;
  /** A header whose value is a `Secret`, or whose name speaks of a token or key, counts as a credential. */
  readonly headers?: Readonly<Record<string, string | Secret>>;
  /** Further names of headers that are credentials. */
  readonly credentialHeaders?: readonly string[];
  /** Token of `Authorization: Bearer`, or a function that gives it. */
  readonly bearer?: Secret | BearerSource;
  /** User and password of `Authorization: Basic`. */
  readonly basic?: { readonly user: string | Secret; readonly password: string | Secret };
  readonly query?: HttpQuery;
  /** The only hosts that may be asked, redirects included; `*.example.com` means any below. Default: any. */
  readonly hosts?: readonly string[];
  /** Requests that may start in a second, over the whole source. Default: no limit. */
  readonly requestsPerSecond?: number;
  /** Requests under way at once, over the whole source. Default 8. */
  readonly concurrency?: number;
}

/** One request. */
export interface HttpRequest extends HttpPatience {
  /** Default `GET`, or `POST` when there is a body. */
  readonly method?: string;
  readonly query?: HttpQuery;
  readonly headers?: Readonly<Record<string, string | Secret>>;
  /** A body that is sent as JSON. */
  readonly json?: unknown;
  /** A body that is sent as a form. */
  readonly form?: Readonly<Record<string, string | Secret>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly signal?: AbortSignal;
  /** Whether repeating the request does no harm. Default: whether the method is GET, HEAD, OPTIONS, PUT or DELETE. */
  readonly idempotent?: boolean;
  /** Statuses beside 2xx that are an answer and not a failure, such as 404. */
  readonly accept?: readonly number[];
  /** Largest body that `json`, `text` and `bytes` take. Default 256 MB. */
  readonly sizeBytesMax?: number;
}

/** A request for JSON; with a `schema` the answer is checked and typed by it. */
export interface HttpJsonRequest<T> extends HttpRequest {
  readonly schema?: v.GenericSchema<unknown, T>;
}

/** A request for pages of JSON. */
export interface HttpPagesRequest<T> extends HttpJsonRequest<T> {
  readonly paging: Paging;
}

/** How a job is asked until it is done. */
export interface HttpPollRequest<T> extends Omit<HttpJsonRequest<T>, "timeoutMs"> {
  /** Whether the job is done. Throw `permanent(…)` or `transient(…)` when the answer reports that it failed. */
  readonly isDone: (answer: T) => boolean;
  /** The first pause, which then grows by half each time. Each is varied by a fifth. Default 1 s. */
  readonly pauseMs?: number;
  /** The longest pause, unless the source asks for a longer one by Retry-After. Default 20 s. */
  readonly maxPauseMs?: number;
  /** How long the job may take in all. Default 30 min. */
  readonly timeoutMs?: number;
  /** Stops the job at its source; called when the poll is aborted or ends before the job does. Has 5 s. */
  readonly cancel?: (options: { readonly signal: AbortSignal }) => Promise<unknown>;
  /** What an answer reports about the job, for `onProgress`. Default: `waiting for the source`. */
  readonly phaseOf?: (answer: T) => string;
  /** Is called after each answer of a job that is not done. Hand over `onProgress` of `ReadOptions`. */
  readonly onProgress?: ((progress: ReadProgress) => void) | undefined;
}

/** Gives the address of a file, for signed links that expire. */
export type DownloadUrl = (options: {
  /** Whether the source refused the address that was returned before. */
  readonly rejected: boolean;
  readonly signal: AbortSignal;
}) => Promise<string>;

/** A file that `Http.download` fetches. */
export interface DownloadFile {
  /** The address, or a function that returns it; the function is called again when the address is refused (4xx). */
  readonly url: string | DownloadUrl;
  /**
   * What identifies the content, such as the id of the export and the number of the slice; unique in the table, and
   * another one for other content. With it a later read resumes a file whose links differ. Default: the place in the
   * list and the address without its query; a later read then resumes only by a strong ETag.
   */
  readonly key?: string;
  /** Further headers. Credentials among them go to the origin of `url` only. */
  readonly headers?: Readonly<Record<string, string | Secret>>;
  /** The size in bytes, if known; another size is an error. */
  readonly sizeBytes?: number;
  /** The checksum of the content if known, or a function that takes it from the headers of the answer. */
  readonly checksum?: Checksum | ((headers: Headers) => Checksum | undefined);
  /** See `FileChunk.origin`. */
  readonly origin?: string;
  /** See `FileChunk.constants`. */
  readonly constants?: FileChunk["constants"];
}

/** How files are downloaded and read. */
export interface HttpDownloadRequest
  extends
    Omit<FileChunk, "kind" | "data" | "origin" | "constants">,
    Pick<HttpPatience, "retries" | "attemptTimeoutMs"> {
  /** Where the files are kept: `directory` of `ReadOptions`. Default: a temporary folder, removed at the end. */
  readonly directory?: string | undefined;
  /** How many files are fetched at once; no more than these are ahead of the file that is read. Default 4. */
  readonly concurrency?: number;
  readonly signal?: AbortSignal;
  /** Is called with `downloading 3 of 12`, and the bytes of all files if known, again and again while bytes come. */
  readonly onProgress?: ((progress: ReadProgress) => void) | undefined;
}

/** An answer whose body is still to be read; read it, iterate it or `cancel` it. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** The address that answered, without its query. */
  readonly url: string;
  /** The body in pieces; stops with `source_unavailable` when no further piece comes in time. */
  readonly body: AsyncIterable<Uint8Array>;
  json<T = unknown>(): Promise<T>;
  text(): Promise<string>;
  bytes(): Promise<Uint8Array>;
  cancel(): Promise<void>;
}

/**
 * HTTP for connectors, given to `connect` as `http`.
 *
 * Tries again on 408, 425, 429, 500, 502, 503, 504, lost connections and silence, waits as `Retry-After` says or
 * longer each time, keeps one rate limit for the whole source, logs every request without secrets or query, and
 * follows redirects without carrying credentials to another origin.
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
  /** A client that adds `defaults` to every request; it shares the rate limit with this one. */
  with(defaults: HttpDefaults): Http;
  /** Sends a request and gives the answer when it begins. The reading of the body is not tried again. */
  request(url: string, request?: HttpRequest): Promise<HttpAnswer>;
  /** The body as JSON; a connection lost while it is read is tried again. */
  json<T = unknown>(url: string, request?: HttpJsonRequest<T>): Promise<T>;
  /** The body as text. */
  text(url: string, request?: HttpRequest): Promise<string>;
  /** The body as bytes. */
  bytes(url: string, request?: HttpRequest): Promise<Uint8Array>;
  /** All pages, one after the other, each as JSON. */
  pages<T = unknown>(url: string, request: HttpPagesRequest<T>): AsyncGenerator<T, void, void>;
  /**
   * Asks a job until it is done, and returns its last answer.
   *
   * Pauses grow and are varied; Retry-After is obeyed, also in answers that are no error. A source that is out of reach
   * is asked again, until the sixth failure in a row or the deadline. `signal` ends it at once, also in a pause.
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
   * Downloads files, several at once, and yields each as a file chunk, in the order of the list.
   *
   * A lost connection is resumed by Range with If-Range. The file starts again when the source has no ranges or the
   * content changed. Size and checksum are verified when they are known, and the space on the disk is checked before.
   * Bytes go to `directory` as they come, so memory stays flat; a read that was stopped resumes there.
   *
   * Credentials of the client go to the origin of its `baseUrl` only, never to the host of a signed link.
   *
   * @throws `source_unavailable` after `retries` attempts (default 5) that brought no new byte, `source_unauthorized`
   *   and `source_refused` when a link is refused, `source_answer_invalid` for a wrong size or checksum,
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
