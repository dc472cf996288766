import ipaddr from "ipaddr.js";

import {
  AgnesError,
  errorCodes,
  isAgnesError,
  messageOf,
  throwIfAborted,
  withDeadline,
  type ErrorCode,
} from "../../lib/base/mod.ts";

const TIMEOUT_MS = 30_000;
const TOKEN_HINT =
  "Set AGNES_TOKEN to a token of the server. An administrator creates one with `agnes token create NAME`.";

interface RequestOptions {
  /** The body of a POST. Default: a GET without a body. */
  readonly json?: unknown;
  /** The time until the response starts. Default: 30 seconds. */
  readonly timeoutMs?: number;
}

/** A server of Agnes. All methods throw its errors, `server_unreachable`, `server_response_invalid` and `aborted`. */
export interface ServerClient {
  /** Its address without a path. */
  readonly address: string;
  /** Returns the JSON of a response. */
  json<T>(path: string, options?: RequestOptions): Promise<T>;
  text(path: string, options?: RequestOptions): Promise<string>;
  /** Returns the headers and the bytes of a response. Only the signal of the client stops it. */
  bytes(path: string, options: { readonly json: unknown }): Promise<ServerBytes>;
}

/** The bytes of a response, which fail if the connection breaks. */
export interface ServerBytes {
  readonly headers: Headers;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/**
 * Opens a server by its address. The token of AGNES_TOKEN is sent over https only, or to this machine, and never follows a
 * redirect.
 * @throws `server_address_invalid`
 */
export function openServer(
  server: string,
  options: {
    readonly signal?: AbortSignal;
    readonly token?: string | undefined;
    readonly fetch?: typeof globalThis.fetch;
  } = {},
): ServerClient {
  const { token = process.env["AGNES_TOKEN"], signal, fetch = globalThis.fetch } = options;
  const url = addressOf(server);
  const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
  const posted = (json: unknown): RequestInit => ({
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify(json),
  });
  const request = async (path: string, { json, timeoutMs = TIMEOUT_MS }: RequestOptions = {}) => {
    const init = json === undefined ? { headers } : posted(json);
    return withDeadline(`the request to ${url.origin}`, { timeoutMs, signal }, async (limit) => {
      const response = await reached(url.origin, () =>
        fetch(new URL(path, url), { ...init, redirect: "manual", signal: limit }),
      );
      const text = await reached(url.origin, () => response.text());
      if (response.ok) return { status: response.status, text };
      throw errorOf(url.origin, response.status, text);
    });
  };
  return {
    address: url.origin,
    async json<T>(path: string, requestOptions?: RequestOptions) {
      const { status, text } = await request(path, requestOptions);
      return parsed(url.origin, status, text) as T;
    },
    text: async (path, requestOptions) => (await request(path, requestOptions)).text,
    async bytes(path, { json }) {
      const response = await reached(
        url.origin,
        () => fetch(new URL(path, url), { ...posted(json), redirect: "manual", signal: signal ?? null }),
        signal,
      );
      if (!response.ok)
        throw errorOf(url.origin, response.status, await reached(url.origin, () => response.text()));
      return { headers: response.headers, bytes: piecesOf(url.origin, response, signal) };
    },
  };
}

/** @throws `server_address_invalid` */
function addressOf(server: string): URL {
  const invalid = (reason: string) => new AgnesError("server_address_invalid", { server, reason });
  if (!URL.canParse(server))
    throw new AgnesError("server_address_invalid", { server: "", reason: "it is not a URL" });
  const url = new URL(server);
  // The address is not repeated: it has a password.
  if (url.username !== "" || url.password !== "")
    throw new AgnesError("server_address_invalid", {
      server: url.host,
      reason: "it has a user or password; set AGNES_TOKEN instead",
    });
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "") throw invalid("it has a path");
  if (url.protocol === "https:") return url;
  if (url.protocol !== "http:") throw invalid("it is not an http address");
  if (!isLoopback(url.hostname)) throw invalid("only https keeps the token secret on a network");
  return url;
}

function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  return host === "localhost" || (ipaddr.isValid(host) && ipaddr.process(host).range() === "loopback");
}

async function* piecesOf(
  server: string,
  response: Response,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, void> {
  const reader = response.body!.getReader();
  try {
    for (;;) {
      const { done, value } = await reached(server, () => reader.read(), signal);
      if (done) return;
      yield value as Uint8Array;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

async function reached<T>(server: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throwIfAborted(signal, `the request to ${server}`);
    if (isAgnesError(error)) throw error;
    throw new AgnesError("server_unreachable", { server, reason: messageOf(error) }, { cause: error });
  }
}

function parsed(server: string, httpStatus: number, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const reason = "is not JSON";
    throw new AgnesError("server_response_invalid", { server, httpStatus, reason }, { cause: error });
  }
}

/** The error in a response, with the texts of the server. */
export function errorOf(server: string, httpStatus: number, text: string): AgnesError {
  const invalid = (reason: string) =>
    new AgnesError("server_response_invalid", { server, httpStatus, reason });
  if (httpStatus >= 300 && httpStatus < 400) return invalid("is a redirect, which is not followed");
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return invalid("is not an error of Agnes");
  }
  const { code, message, hint, details } = ((body as { error?: unknown } | null)?.error ?? {}) as Record<
    string,
    unknown
  >;
  if (typeof code !== "string" || typeof message !== "string" || typeof hint !== "string")
    return invalid("is not an error of Agnes");
  const texts = { message, hint: code === "token_missing" ? TOKEN_HINT : hint };
  if (!Object.hasOwn(errorCodes, code)) {
    const reason = `is the error ${code}`;
    const unknown = new AgnesError("server_response_invalid", { server, httpStatus, reason });
    return unknown.withDetails(unknown.details, { texts });
  }
  try {
    const values = (details ?? {}) as never;
    return new AgnesError(code as ErrorCode, values).withDetails(values, { texts });
  } catch {
    return invalid(`is the error ${code} without its details`);
  }
}
