import {
  AgnesError,
  isAgnesError,
  Secret,
  withTimeout,
  type Host,
  type Log,
  counted,
  spokenDuration,
} from "../../base/mod.ts";
import { lostError, OpenResponse } from "./response.ts";
import { basicAuthorization, headerLayer, headersFor, type HeaderLayer } from "./headers.ts";
import type { HttpDefaults, HttpRequest } from "./http.ts";
import type { RateLimit } from "./rate-limit.ts";
import { redirected } from "./redirect.ts";
import { backoffMs, mayRepeat } from "./retry.ts";
import { statusError } from "./status.ts";
import { checkTarget, revealed, setQuery, redactedUrl } from "./target.ts";
import { Watch } from "./watch.ts";

const RETRIES = 5;
const HOPS_MAX = 5;
const ATTEMPT_TIMEOUT_MS = 30_000;
const TIMEOUT_MS = 300_000;

/** Services shared by all requests of one source. */
export interface CallServices {
  readonly host: Pick<Host, "fetch" | "sleep" | "random" | "now" | "monotonicMs">;
  readonly log: Log;
  readonly secrets: Set<string>;
  readonly rateLimit: RateLimit;
}

/** The origins that may receive the credentials of the defaults and of the request. */
export interface CredentialOrigins {
  readonly defaults: string;
  readonly request: string;
}

/** One call: a request with all its attempts and redirects. */
export class Call {
  readonly #services: CallServices;
  readonly #defaults: HttpDefaults;
  readonly #request: HttpRequest;
  readonly #origins: CredentialOrigins;
  readonly #url: URL;
  readonly #method: string;
  readonly #body: string | Uint8Array<ArrayBuffer> | undefined;
  readonly #layers: readonly HeaderLayer[];
  readonly #redacted: string;
  readonly #what: string;

  constructor(
    services: CallServices,
    defaults: HttpDefaults,
    url: URL,
    request: HttpRequest,
    origins: CredentialOrigins,
  ) {
    this.#services = services;
    this.#defaults = defaults;
    this.#request = request;
    this.#origins = origins;
    this.#url = new URL(url);
    // A default query may contain an API key, so only its own origin receives it.
    if (url.origin === origins.defaults) setQuery(this.#url, defaults.query);
    setQuery(this.#url, request.query);
    const { body, contentType } = bodyOf(request);
    this.#body = body;
    this.#method = (request.method ?? (body === undefined ? "GET" : "POST")).toUpperCase();
    const own =
      contentType === undefined ? request.headers : { "content-type": contentType, ...request.headers };
    const named = defaults.credentialHeaders ?? [];
    this.#layers = [
      headerLayer(defaults.headers, named, origins.defaults),
      headerLayer(own, named, origins.request),
    ];
    this.#redacted = redactedUrl(this.#url, services.secrets);
    this.#what = `${this.#method} ${this.#redacted}`;
  }

  /** Whether the connector retries this status. A 401 renews the token instead. */
  #isRetried(status: number | undefined): boolean {
    const statuses = this.#request.statuses ?? this.#defaults.statuses ?? [];
    return status !== undefined && status !== 401 && statuses.includes(status);
  }

  /**
   * Sends the request until `read` succeeds with a response.
   *
   * @param until whether the total timeout includes reading the body, or ends when the response begins
   */
  async run<T>(read: (opened: OpenResponse) => Promise<T>): Promise<T> {
    const { host, rateLimit, log } = this.#services;
    const timeoutMs = this.#request.timeoutMs ?? this.#defaults.timeoutMs ?? TIMEOUT_MS;
    const retries = this.#request.retries ?? this.#defaults.retries ?? RETRIES;
    const startedMs = host.monotonicMs();
    using total = withTimeout(this.#what, timeoutMs, this.#request.signal);
    let rejected = false;
    const leftMs = () => timeoutMs - (host.monotonicMs() - startedMs);
    for (let attempt = 1; ; attempt += 1) {
      try {
        // Before acquiring a slot: fetching the token may itself send a request to this source.
        const layers = await this.#authorized(total.signal, rejected);
        return await this.#attempt(read, layers, { signal: total.signal, attempt, leftMs: leftMs() });
      } catch (error) {
        if (isAgnesError(error, "source_unauthorized") && this.#mayRenew(error, rejected)) {
          rejected = true;
          attempt -= 1;
          continue;
        }
        if (!isAgnesError(error, "source_unavailable")) throw error;
        const { status, retryAfterMs } = error.details;
        // Retry-After applies to all requests of the source.
        if (retryAfterMs !== undefined) rateLimit.pause(retryAfterMs);
        const waitMs = backoffMs(host, attempt, retryAfterMs);
        const canRepeat =
          this.#isRetried(status) || mayRepeat(this.#method, this.#request.idempotent, status);
        if (!canRepeat || attempt > retries || waitMs >= leftMs()) throw afterAttempts(error, attempt);
        log.info(`${error.message}; retrying`, { attempt, waitMs: Math.round(waitMs) });
        await host.sleep(waitMs, total.signal);
      }
    }
  }

  async #attempt<T>(
    read: (response: OpenResponse) => Promise<T>,
    layers: readonly HeaderLayer[],
    {
      signal,
      attempt,
      leftMs,
    }: { readonly signal: AbortSignal; readonly attempt: number; readonly leftMs: number },
  ): Promise<T> {
    const { host, rateLimit, secrets, log } = this.#services;
    const limitMs = this.#request.attemptTimeoutMs ?? this.#defaults.attemptTimeoutMs ?? ATTEMPT_TIMEOUT_MS;
    const release = await rateLimit.acquire(signal, leftMs);
    const watch = this.#watch(limitMs, signal);
    const startedMs = host.monotonicMs();
    try {
      const { response, url } = await this.#follow(layers, watch);
      const { status } = response;
      log.debug(this.#what, { status, attempt, elapsedMs: Math.round(host.monotonicMs() - startedMs) });
      const { maxBytes } = this.#request;
      const opened = new OpenResponse({ response, watch, what: this.#what, url, secrets, maxBytes });
      if (response.ok || this.#request.accept?.includes(status) === true) return await read(opened);
      const isRetried = this.#isRetried(status);
      throw await statusError(opened, this.#what, secrets, { now: host.now(), isRetried });
    } catch (error) {
      watch.close();
      throw error;
    } finally {
      release();
    }
  }

  async #follow(layers: readonly HeaderLayer[], watch: Watch): Promise<{ response: Response; url: string }> {
    const { host, secrets } = this.#services;
    let target = { url: this.#url, method: this.#method, body: this.#body };
    for (let hops = 0; ; hops += 1) {
      checkTarget(target.url, this.#defaults.hosts, secrets);
      const url = redactedUrl(target.url, secrets);
      watch.start();
      let response: Response;
      try {
        response = await host.fetch(target.url.href, {
          method: target.method,
          headers: headersFor(layers, target.url.origin),
          redirect: "manual",
          signal: watch.signal,
          ...(target.body === undefined ? {} : { body: target.body }),
        });
      } catch (error) {
        throw lostError(error, watch.signal, this.#what, url, secrets);
      } finally {
        watch.stop();
      }
      const { followRedirects = true } = this.#defaults;
      const next = redirected(response, target, { hops, hopsMax: followRedirects ? HOPS_MAX : 0, secrets });
      if (next === null) return { response, url };
      await response.body?.cancel();
      target = next;
    }
  }

  async #authorized(signal: AbortSignal, rejected: boolean): Promise<readonly HeaderLayer[]> {
    const { bearer, basic } = this.#defaults;
    const { defaults: origin } = this.#origins;
    if (basic !== undefined) {
      return [headerLayer({ authorization: basicAuthorization(basic) }, [], origin), ...this.#layers];
    }
    if (bearer === undefined) return this.#layers;
    const token = bearer instanceof Secret ? bearer : await bearer({ rejected, signal });
    this.#services.secrets.add(revealed(token));
    const authorization = new Secret(token.name, `Bearer ${token.reveal()}`);
    return [headerLayer({ authorization }, [], origin), ...this.#layers];
  }

  #mayRenew(error: AgnesError<"source_unauthorized">, rejected: boolean): boolean {
    return error.details.status === 401 && !rejected && typeof this.#defaults.bearer === "function";
  }

  #watch(limitMs: number, total: AbortSignal): Watch {
    const { signal } = this.#request;
    const timeout = () =>
      new AgnesError("source_unavailable", {
        reason: `${this.#what} received no data for ${spokenDuration(limitMs)}`,
        url: this.#redacted,
      });
    return new Watch(limitMs, signal === undefined ? [total] : [total, signal], timeout);
  }
}

function bodyOf(request: HttpRequest): {
  body: string | Uint8Array<ArrayBuffer> | undefined;
  contentType?: string;
} {
  if (request.json !== undefined) {
    return { body: JSON.stringify(request.json), contentType: "application/json" };
  }
  if (request.form !== undefined) {
    const form = Object.entries(request.form).map(([name, value]): [string, string] => [
      name,
      revealed(value),
    ]);
    return {
      body: new URLSearchParams(form).toString(),
      contentType: "application/x-www-form-urlencoded",
    };
  }
  return { body: request.body };
}

function afterAttempts(error: AgnesError<"source_unavailable">, attempts: number): AgnesError {
  if (attempts === 1) return error;
  const reason = `${error.details.reason} (${counted(attempts, "attempt")})`;
  return new AgnesError("source_unavailable", { ...error.details, reason, attempts }, { cause: error.cause });
}
