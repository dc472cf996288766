import type { AgnesError, ConnectContext, Http, HttpJsonRequest, HttpPollRequest } from "agnes/kit";
import * as v from "valibot";

import { clientFailure, failureOf, isPassing, reasonOfStatus, type Failed } from "./failures.ts";
import type { bigquerySecrets } from "./options.ts";
import { errorBodySchema, type ErrorBody, type ErrorProto } from "./schemas.ts";
import type { Settings } from "./settings.ts";
import type { SignIn } from "./sign-in.ts";

/** Statuses whose body has the reason of the rejection. 401 renews the token, and the others are repeated. */
const REJECTIONS = [400, 403, 404, 409, 412];
const ATTEMPTS = 5;
const PAUSE_MS = 1_000;
/** A page of rows has at most 10 MB, and its values are text. */
const RESPONSE_BYTES_MAX = 256 * 1024 ** 2;

/** A call of the REST API. */
interface ApiRequest<T> extends Pick<HttpJsonRequest<T>, "query" | "json" | "method"> {
  readonly schema: v.GenericSchema<unknown, T>;
  readonly signal: AbortSignal;
  /** What is requested, for errors: `table sales.orders`. */
  readonly what: string;
}

/** A rejection of BigQuery, with its reason. */
export class Rejection extends Error {
  readonly proto: ErrorProto;
  constructor(proto: ErrorProto) {
    super(proto.message);
    this.proto = proto;
  }
}

/** A page of a list or of rows. */
interface Page {
  readonly pageToken?: string | undefined;
  readonly nextPageToken?: string | undefined;
}

type Connection = Pick<ConnectContext<unknown, typeof bigquerySecrets>, "http" | "sleep" | "log">;

/** The REST API of BigQuery. Only its host receives the token. */
export class BigQueryApi {
  readonly #http: Http;
  readonly #connection: Connection;
  readonly #signIn: SignIn;

  constructor(connection: Connection, settings: Settings, signIn: SignIn) {
    this.#connection = connection;
    this.#signIn = signIn;
    this.#http = connection.http.with({
      baseUrl: `${settings.apiEndpoint}/bigquery/v2`,
      hosts: [new URL(settings.apiEndpoint).hostname],
      ...(settings.isSignedIn ? { bearer: signIn.bearer } : {}),
    });
  }

  /**
   * Returns the response to a GET, or to a POST if there is `json`, which must be safe to repeat. A rejection that may pass
   * is repeated.
   * @throws Rejection for a reason of BigQuery; the errors of the plugin for others
   */
  async call<T>(path: string, { what, schema, ...request }: ApiRequest<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      const body = await this.#named(what, () =>
        this.#http.json(path, {
          ...request,
          idempotent: true,
          accept: REJECTIONS,
          maxBytes: RESPONSE_BYTES_MAX,
          schema: orError(schema),
        }),
      );
      if (!isError(body)) return body;
      const proto = protoOf(body);
      if (!isPassing(proto) || attempt === ATTEMPTS) throw new Rejection(proto);
      const waitMs = PAUSE_MS * 2 ** (attempt - 1);
      this.#connection.log.info(`BigQuery limits the requests: ${proto.message}; retrying`, {
        attempt,
        waitMs,
      });
      await this.#connection.sleep(waitMs, request.signal);
    }
  }

  /**
   * Yields the pages of a list or a result up to the first without a token; a page may be empty.
   * @param first the token of the first page. Default: the start
   */
  async *pages<T extends Page>(
    path: string,
    { query, ...request }: ApiRequest<T>,
    first?: string,
  ): AsyncGenerator<T, void, void> {
    const seen = new Set<string>();
    for (let token = first; ;) {
      const page = await this.call(path, {
        ...request,
        query: { ...query, ...(token === undefined ? {} : { pageToken: token }) },
      });
      yield page;
      token = tokenOf(page);
      if (token === undefined) return;
      if (seen.has(token))
        throw failureOf({ reason: "invalid", message: "it returned one page twice" }, request);
      seen.add(token);
    }
  }

  /** Polls a job; see `Http.poll`. */
  async poll<T>(
    path: string,
    {
      what,
      schema,
      isDone,
      ...request
    }: Omit<HttpPollRequest<T>, "schema" | "phaseOf"> & Pick<ApiRequest<T>, "what" | "schema">,
  ): Promise<T> {
    return this.#named(what, async () => {
      const body = await this.#http.poll<T | ErrorBody>(path, {
        ...request,
        accept: REJECTIONS,
        schema: orError(schema),
        isDone(response) {
          if (!isError(response)) return isDone(response);
          const proto = protoOf(response);
          if (isPassing(proto)) return false;
          throw new Rejection(proto);
        },
      });
      return body as T;
    });
  }

  /** Returns the error of the plugin for a failed call. */
  failure(error: unknown, failed: Failed): unknown {
    return error instanceof Rejection ? failureOf(error.proto, failed) : error;
  }

  async #named<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw clientFailure(error, what, this.#signIn.origin) as AgnesError;
    }
  }
}

function isError(body: unknown): body is ErrorBody {
  return typeof body === "object" && body !== null && "error" in body;
}

/** The schema of a response or of an error. */
function orError<T>(schema: v.GenericSchema<unknown, T>): v.GenericSchema<unknown, T | ErrorBody> {
  return v.lazy(
    (body) => (isError(body) ? errorBodySchema : schema) as v.GenericSchema<unknown, T | ErrorBody>,
  );
}

function protoOf({ error }: ErrorBody): ErrorProto {
  const [first] = error.errors;
  return {
    reason: first?.reason ?? reasonOfStatus(error),
    message: error.message === "" ? (first?.message ?? "") : error.message,
    location: first?.location,
  };
}

/** The token of the next page; an empty one is none. */
function tokenOf({ pageToken, nextPageToken }: Page): string | undefined {
  const token = pageToken ?? nextPageToken;
  return token === "" ? undefined : token;
}
