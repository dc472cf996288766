import {
  AgnesError,
  type ConnectContext,
  type Http,
  type HttpJsonRequest,
  type HttpPollRequest,
} from "agnes/kit";
import type * as v from "valibot";

import type { AddressCheck } from "./address.ts";
import { errors } from "../errors.ts";
import type { keboolaSecrets, Settings } from "../options.ts";

/** Maintenance of a project lasts minutes, and the stack says how many. */
const CALL_TIMEOUT_MS = 30 * 60_000;
/** The list of thousands of tables takes the stack a while. */
const ANSWER_TIMEOUT_MS = 120_000;
const ANSWER_BYTES_MAX = 1024 ** 3;
/** Each pause is half longer than the previous one. */
const POLL_PAUSE_MS = 1000;
const POLL_PAUSE_MAX_MS = 10_000;
/** Large tables are exported for hours. */
const JOB_TIMEOUT_MS = 6 * 60 * 60_000;

/** A call of the Storage API. */
interface ApiRequest<T> extends Pick<
  HttpJsonRequest<T>,
  "method" | "query" | "json" | "signal" | "idempotent"
> {
  readonly schema: v.GenericSchema<unknown, T>;
  /** What is requested, for errors: `table in.c-crm.orders`. */
  readonly what: string;
  /** What to do if the stack rejects it. Default: correct the table. */
  readonly advice?: string;
}

/** A job to poll. */
interface JobRequest<T> extends Pick<HttpPollRequest<T>, "isDone" | "phaseOf" | "onProgress" | "signal"> {
  readonly schema: v.GenericSchema<unknown, T>;
  readonly what: string;
}

/** Where a job is. */
interface JobAddress {
  readonly id: string;
  readonly url?: string | null | undefined;
}

/** The Storage API of one stack. Only it receives the token. */
export class StorageApi {
  /** The name of the variable that holds the token. */
  readonly tokenVariable: string;
  readonly #http: Http;
  readonly #url: string;
  readonly #address: AddressCheck;

  constructor(
    { http, secrets }: Pick<ConnectContext<unknown, typeof keboolaSecrets>, "http" | "secrets">,
    { url }: Pick<Settings, "url">,
    address: AddressCheck,
  ) {
    this.#url = url;
    this.tokenVariable = secrets.KEBOOLA_STORAGE_TOKEN.name;
    this.#address = address;
    this.#http = http.with({
      baseUrl: `${url}/v2/storage`,
      headers: { "X-StorageApi-Token": secrets.KEBOOLA_STORAGE_TOKEN },
      // The addresses of other hosts are not checked, so no redirect leads to them.
      hosts: [new URL(url).hostname],
      timeoutMs: CALL_TIMEOUT_MS,
      attemptTimeoutMs: ANSWER_TIMEOUT_MS,
    });
  }

  /**
   * Returns the response to a GET, or to a POST if there is `json`. It is repeated after a lost connection, unless
   * `idempotent` is false.
   */
  async call<T>(path: string, { what, advice, ...request }: ApiRequest<T>): Promise<T> {
    await this.#address.check(this.#url);
    try {
      return await this.#http.json(path, { idempotent: true, ...request, maxBytes: ANSWER_BYTES_MAX });
    } catch (error) {
      throw this.#named(error, what, advice);
    }
  }

  /** Deletes what may be gone already. */
  async remove(
    path: string,
    { what, advice, signal }: Pick<ApiRequest<unknown>, "what" | "advice" | "signal">,
  ): Promise<void> {
    await this.#address.check(this.#url);
    try {
      const response = await this.#http.request(path, {
        method: "DELETE",
        accept: [404],
        ...(signal === undefined ? {} : { signal }),
      });
      await response.cancel();
    } catch (error) {
      throw this.#named(error, what, advice);
    }
  }

  /** Polls a job. Its address is used only on the host of the stack, and otherwise its id. */
  async poll<T>(job: JobAddress, { what, ...request }: JobRequest<T>): Promise<T> {
    await this.#address.check(this.#url);
    try {
      return await this.#http.poll(addressOf(job, this.#url), {
        ...request,
        pauseMs: POLL_PAUSE_MS,
        maxPauseMs: POLL_PAUSE_MAX_MS,
        timeoutMs: JOB_TIMEOUT_MS,
      });
    } catch (error) {
      throw this.#named(error, what);
    }
  }

  /** Returns the error of a call with a code of the plugin. */
  #named(error: unknown, what: string, advice?: string): unknown {
    if (!(error instanceof AgnesError) || error.code.startsWith("keboola/")) return error;
    const { status, reason, retryAfterMs } = error.details as {
      readonly status?: number;
      readonly reason?: string;
      readonly retryAfterMs?: number;
    };
    const why = reason ?? error.message;
    const cause = { cause: error };
    const variable = this.tokenVariable;
    switch (error.code) {
      case "source_unauthorized":
        return status === 401
          ? errors.token_rejected({ variable, reason: why }, cause)
          : errors.access_denied({ variable, what, reason: why }, cause);
      case "source_refused": {
        const hint = adviceOf(status) ?? advice;
        return errors.request_refused(
          { what, reason: why, ...(hint === undefined ? {} : { advice: hint }) },
          cause,
        );
      }
      case "source_unavailable":
        return errors.unavailable(
          { what, reason: why, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
          cause,
        );
      default:
        return error;
    }
  }
}

/** What to do after a status that does not depend on the request; undefined for others. */
function adviceOf(status: number | undefined): string | undefined {
  // Without the status of a rejection it is a redirect.
  if (status === undefined || status < 400) return "Check `url` in the options of the source.";
  if (status < 500) return undefined;
  return "The stack cannot process this request, and running it again does not help: check `url` in the options of the source with `agnes connector health`, or ask the support of Keboola.";
}

/** The path that the stack gives, for example in a branch, if it is that of a job. */
function addressOf({ id, url }: JobAddress, stack: string): string {
  const path = `/jobs/${encodeURIComponent(id)}`;
  if (typeof url === "string" && URL.canParse(url, stack)) {
    const { pathname, search } = new URL(url, stack);
    if (pathname.startsWith("/v2/storage/") && pathname.endsWith(path)) return `${stack}${pathname}${search}`;
  }
  return `${stack}/v2/storage${path}`;
}

/** Returns the HTTP status of an error of a call. */
export function statusOf(error: unknown): number | undefined {
  if (!(error instanceof AgnesError)) return undefined;
  const { status } = error.details as { readonly status?: unknown };
  if (typeof status === "number") return status;
  return error.cause === undefined ? undefined : statusOf(error.cause);
}
