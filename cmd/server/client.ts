import {
  AgnesError,
  checkServerAddress,
  checkServerToken,
  connectionReason,
  isAgnesError,
  throwIfAborted,
  withDeadline,
} from "../../lib/base/mod.ts";
import { serverAdvice } from "./advice.ts";
import { errorOf } from "./server-error.ts";

const TIMEOUT_MS = 30_000;

interface Place {
  readonly server: string;
  /** Whether AGNES_SERVER names the server. */
  readonly isDefault: boolean;
}

interface RequestOptions {
  /** Default: POST with a body, otherwise GET. */
  readonly method?: "POST" | "PUT" | "DELETE";
  /** The body. Default: none. */
  readonly json?: unknown;
  /** The version that a change expects. Default: any. */
  readonly version?: number | undefined;
  /** The time until the response starts. Default: 30 seconds. */
  readonly timeoutMs?: number;
}

/** A server of Agnes. All methods throw its errors, `server_unreachable`, `server_response_invalid` and `aborted`. */
export interface ServerClient {
  /** Its address without a path. */
  readonly address: string;
  /** A text of the server or about it, with commands that work with the server; see `serverAdvice`. */
  readonly advice: (text: string) => string;
  /** Returns the JSON of a response; null: it has no body. */
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
 * @throws `server_address_invalid`, `token_invalid`
 */
export function openServer(
  server: string,
  options: {
    readonly signal?: AbortSignal;
    readonly token?: string | undefined;
    readonly fetch?: typeof globalThis.fetch;
    /** Whether AGNES_SERVER names the server, so that commands use it without `--server`. */
    readonly isDefault?: boolean;
  } = {},
): ServerClient {
  const { signal, fetch = globalThis.fetch, isDefault = false } = options;
  const url = checkServerAddress(server);
  const token = checkServerToken(options.token ?? process.env["AGNES_TOKEN"]);
  const advice = (text: string) => serverAdvice(text, isDefault ? undefined : url.origin);
  const place = { server: url.origin, isDefault };
  const errorIn = (response: Response, text: string) =>
    errorOf(url.origin, { httpStatus: response.status, text, advice });
  const requestOf = ({ method, json, version }: RequestOptions): RequestInit => ({
    method: method ?? (json === undefined ? "GET" : "POST"),
    headers: {
      ...(token && { authorization: `Bearer ${token}` }),
      ...(json !== undefined && { "content-type": "application/json" }),
      ...(version !== undefined && { "if-match": `"${version}"` }),
    },
    ...(json !== undefined && { body: JSON.stringify(json) }),
  });
  const request = async (path: string, sent: RequestOptions = {}) => {
    const { timeoutMs = TIMEOUT_MS } = sent;
    const init = requestOf(sent);
    return withDeadline(`the request to ${url.origin}`, { timeoutMs, signal }, async (limit) => {
      const response = await reached(place, () =>
        fetch(new URL(path, url), { ...init, redirect: "manual", signal: limit }),
      );
      const text = await reached(place, () => response.text());
      if (response.ok) return { status: response.status, text };
      throw await errorIn(response, text);
    });
  };
  return {
    address: url.origin,
    advice,
    async json<T>(path: string, requestOptions?: RequestOptions) {
      const { status, text } = await request(path, requestOptions);
      return (status === 204 ? null : parsed(url.origin, status, text)) as T;
    },
    text: async (path, requestOptions) => (await request(path, requestOptions)).text,
    async bytes(path, { json }) {
      const response = await reached(
        place,
        () =>
          fetch(new URL(path, url), { ...requestOf({ json }), redirect: "manual", signal: signal ?? null }),
        signal,
      );
      if (!response.ok) throw await errorIn(response, await reached(place, () => response.text()));
      return { headers: response.headers, bytes: piecesOf(place, response, signal) };
    },
  };
}

async function* piecesOf(
  place: Place,
  response: Response,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, void> {
  const reader = response.body!.getReader();
  try {
    for (;;) {
      const { done, value } = await reached(place, () => reader.read(), signal);
      if (done) return;
      yield value as Uint8Array;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

async function reached<T>(place: Place, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  const { server, isDefault } = place;
  try {
    return await work();
  } catch (error) {
    throwIfAborted(signal, `the request to ${server}`);
    if (isAgnesError(error)) throw error;
    const details = { server, reason: connectionReason(error) };
    const failed = new AgnesError("server_unreachable", details, { cause: error });
    if (!isDefault) throw failed;
    const hint = `${failed.hint} The address is from AGNES_SERVER; \`--workspace DIR\` uses the workspace instead.`;
    throw failed.withDetails(details, { cause: error, texts: { message: failed.message, hint } });
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
