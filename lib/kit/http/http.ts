import type * as v from "valibot";

import type { Secret } from "../../base/mod.ts";
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
}
