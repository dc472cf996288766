import type { Host, Log } from "../../base/mod.ts";
import type { OpenResponse } from "./response.ts";
import { Call, type CallServices, type CredentialOrigins } from "./call.ts";
import { rememberSecrets } from "./headers.ts";
import { downloadFiles } from "./download.ts";
import type {
  DownloadFile,
  Http,
  HttpResponse,
  HttpDefaults,
  HttpDownloadRequest,
  HttpJsonRequest,
  HttpPagesRequest,
  HttpPollRequest,
  HttpRequest,
} from "./http.ts";
import { PageWalk, type NextPage } from "./paging.ts";
import { pollJob } from "./poll.ts";
import { RateLimit } from "./rate-limit.ts";
import { retryAfterMs } from "./retry.ts";
import { resolveUrl, redactedUrl } from "./target.ts";

/** Services that `createHttp` uses. */
export interface HttpServices {
  readonly host: Pick<Host, "fetch" | "files" | "sleep" | "random" | "now" | "monotonicMs">;
  readonly log: Log;
  /** Values to redact from messages and logs; every `Secret` used in a request is added. */
  readonly secrets?: Set<string>;
}

/** Creates the HTTP client of one source; `connect` receives it as `http`. */
export function createHttp(services: HttpServices): Http {
  const { host, log } = services;
  const secrets = services.secrets ?? new Set();
  return new HttpClient({ host, log, secrets, rateLimit: new RateLimit(host) }, {});
}

type ClientServices = CallServices & Pick<HttpServices, "host">;

class HttpClient implements Http {
  readonly #services: ClientServices;
  readonly #defaults: HttpDefaults;

  constructor(services: ClientServices, defaults: HttpDefaults) {
    this.#services = services;
    this.#defaults = defaults;
  }

  with(defaults: HttpDefaults): Http {
    rememberSecrets(this.#services.secrets, defaults);
    this.#services.rateLimit.configure(defaults);
    return new HttpClient(this.#services, merged(this.#defaults, defaults));
  }

  async request(url: string, request: HttpRequest = {}): Promise<HttpResponse> {
    return this.#call(url, request, (response) => Promise.resolve(response));
  }

  async json<T = unknown>(url: string, request: HttpJsonRequest<T> = {}): Promise<T> {
    const { schema } = request;
    return this.#call(url, acceptingJson(request), async (response) =>
      response.check(await response.json(), schema),
    );
  }

  async text(url: string, request: HttpRequest = {}): Promise<string> {
    return this.#call(url, request, (response) => response.text());
  }

  async bytes(url: string, request: HttpRequest = {}): Promise<Uint8Array> {
    return this.#call(url, request, (response) => response.bytes());
  }

  async *pages<T = unknown>(url: string, request: HttpPagesRequest<T>): AsyncGenerator<T, void, void> {
    const { paging, schema, query, ...rest } = request;
    const first = this.#resolve(url);
    const origins = this.#originsOf(first);
    const walk = new PageWalk(paging, redactedUrl(first, this.#services.secrets));
    for (let next: NextPage | null = walk.first(); next !== null;) {
      const target = next.url === undefined ? first : new URL(next.url, first);
      const asked = acceptingJson({
        ...rest,
        // The URL of a next page is complete; adding our parameters would duplicate or override its own.
        ...(next.url === undefined ? { query: { ...query, ...next.query } } : {}),
        ...(next.json === undefined ? {} : { json: { ...(rest.json as object | undefined), ...next.json } }),
      });
      const page = await this.#call(
        target,
        asked,
        async (response) => {
          const text = await response.text();
          const body = response.parse(text);
          return { text, body, checked: response.check(body, schema), headers: response.headers };
        },
        origins,
      );
      yield page.checked;
      next = walk.next(page);
    }
  }

  async poll<T = unknown>(url: string, request: HttpPollRequest<T>): Promise<T> {
    const { host, log, secrets } = this.#services;
    const { timeoutMs: _, signal, schema, ...rest } = request;
    const redacted = redactedUrl(this.#resolve(url), secrets);
    return pollJob({ host, log, what: `the job at ${redacted}` }, request, async (leftMs) => {
      const attemptLimitMs = Math.min(leftMs, this.#defaults.timeoutMs ?? Number.POSITIVE_INFINITY);
      const limits = Number.isFinite(attemptLimitMs) ? { timeoutMs: Math.max(1, attemptLimitMs) } : {};
      const asked = { ...rest, ...limits, ...(signal === undefined ? {} : { signal }) };
      return this.#call(url, acceptingJson(asked), async (response) => {
        const waitMs = retryAfterMs(response.headers.get("retry-after"), host.now());
        return {
          response: response.check(await response.json(), schema),
          ...(waitMs === undefined ? {} : { retryAfterMs: waitMs }),
        };
      });
    });
  }

  async *download(
    files: Iterable<string | DownloadFile> | AsyncIterable<string | DownloadFile>,
    request: HttpDownloadRequest,
  ): ReturnType<Http["download"]> {
    const { host, log } = this.#services;
    const open = (address: string, asked: HttpRequest) => {
      const url = this.#resolve(address);
      const origins = this.#originsOf(url);
      // Links point to other hosts: without a base URL no host may receive the credentials.
      const defaults = this.#defaults.baseUrl === undefined ? "" : origins.defaults;
      return this.#call<HttpResponse>(url, asked, async (response) => response, { ...origins, defaults });
    };
    yield* downloadFiles({ host, log, open }, files, request);
  }

  #resolve(url: string): URL {
    return resolveUrl(url, this.#defaults.baseUrl, this.#services.secrets);
  }

  #originsOf(url: URL): CredentialOrigins {
    const { baseUrl } = this.#defaults;
    return {
      defaults: baseUrl === undefined ? url.origin : resolveUrl(baseUrl, undefined, []).origin,
      request: url.origin,
    };
  }

  async #call<T>(
    address: string | URL,
    request: HttpRequest,
    read: (response: OpenResponse) => Promise<T>,
    origins?: CredentialOrigins,
  ): Promise<T> {
    rememberSecrets(this.#services.secrets, request);
    const url = typeof address === "string" ? this.#resolve(address) : address;
    const call = new Call(this.#services, this.#defaults, url, request, origins ?? this.#originsOf(url));
    return call.run(read);
  }
}

function acceptingJson<R extends HttpRequest>(request: R): R {
  return { ...request, headers: { accept: "application/json", ...request.headers } };
}

function merged(base: HttpDefaults, added: HttpDefaults): HttpDefaults {
  const { bearer: _bearer, basic: _basic, ...others } = base;
  const authorization = added.bearer !== undefined || added.basic !== undefined;
  return {
    ...(authorization ? others : base),
    ...added,
    headers: { ...base.headers, ...added.headers },
    query: { ...base.query, ...added.query },
    credentialHeaders: [...(base.credentialHeaders ?? []), ...(added.credentialHeaders ?? [])],
  };
}
