import {
  AgnesError,
  checkServerAddress,
  checkServerToken,
  connectionReason,
  isAgnesError,
  linkedController,
  StallTimer,
  throwIfAborted,
  type Host,
} from "../base/mod.ts";
import { backoffMs, isTransientStatus, retryAfterMs } from "../kit/mod.ts";
import { responseError } from "./response-error.ts";

/** A server to pull from. */
export interface PullClient {
  /** Its address without a path. */
  readonly address: string;
  /**
   * Requests the list of tables; null if it is the one of `etag`.
   * @param receive reads a response; called again if the request is repeated
   * @throws the error of the server or of `receive`, `server_unreachable`, `download_stalled`, `aborted`
   */
  list<T>(etag: string | null, receive: (list: ReceivedList) => Promise<T>): Promise<T | null>;
  /** Opens the response to one request for a path. Redirects are not followed. Only transport errors are thrown. */
  open(path: string, headers: Readonly<Record<string, string>>): Promise<OpenResponse>;
}

/** The list of tables as it arrives. */
export interface ReceivedList {
  readonly etag: string | null;
  readonly pieces: AsyncIterable<Uint8Array>;
}

/** A response whose bytes are watched: it fails with `download_stalled` when none arrive for a time. */
export interface OpenResponse extends Disposable {
  readonly status: number;
  readonly headers: Headers;
  /** Yields the body. @throws `server_unreachable`, `download_stalled`, `aborted` */
  pieces(): AsyncIterable<Uint8Array>;
  /** The error of a response that is not ok. */
  error(): Promise<AgnesError>;
}

/** The limits of requests. */
export interface ClientLimits {
  /** The time without a byte after which a request is stopped. Default: 30 seconds. */
  readonly stalledMs?: number;
  /** How often a request is repeated without progress. Default: 4. */
  readonly retries?: number;
}

const STALLED_MS = 30_000;
export const RETRIES = 4;

/** @throws `server_address_invalid`, `token_invalid` */
export function openPullClient(
  host: Host,
  server: string,
  options: ClientLimits & { readonly token: string | undefined; readonly signal: AbortSignal | undefined },
): PullClient {
  const url = checkServerAddress(server);
  const token = checkServerToken(options.token);
  const { signal, stalledMs = STALLED_MS, retries = RETRIES } = options;
  const open: PullClient["open"] = async (path, headers) =>
    openResponse({ server: url.origin, signal, stalledMs }, (limit) =>
      host.fetch(new URL(path, url), {
        headers: { ...(token && { authorization: `Bearer ${token}` }), ...headers },
        redirect: "manual",
        signal: limit,
      }),
    );
  return {
    address: url.origin,
    open,
    list: (etag, receive) => withRetries(host, signal, retries, () => requestList(open, etag, receive)),
  };
}

/** Sends a request and watches its response. */
async function openResponse(
  {
    server,
    signal,
    stalledMs,
  }: { readonly server: string; readonly signal: AbortSignal | undefined; readonly stalledMs: number },
  send: (limit: AbortSignal) => Promise<Response>,
): Promise<OpenResponse> {
  const what = `the pull from ${server}`;
  throwIfAborted(signal, what);
  const controller = linkedController(signal);
  const stalled = new AgnesError("download_stalled", { server, timeoutMs: stalledMs });
  const stall = new StallTimer(stalledMs, () => controller.abort(stalled));
  let isRead = false;
  const failed = (error: unknown) => {
    throwIfAborted(signal, what);
    if (controller.signal.reason === stalled) return stalled;
    return new AgnesError(
      "server_unreachable",
      { server, reason: connectionReason(error) },
      { cause: error },
    );
  };
  const pieces = async function* (response: Response) {
    const reader = response.body?.getReader();
    if (reader === undefined) return;
    try {
      for (;;) {
        stall.start();
        const { done, value } = await reader.read().catch((error: unknown) => {
          throw failed(error);
        });
        stall.stop();
        if (done) {
          isRead = true;
          return;
        }
        yield value as Uint8Array;
      }
    } finally {
      stall.stop();
      if (!isRead) await reader.cancel().catch(() => {});
    }
  };
  const close = () => {
    stall.close();
    controller[Symbol.dispose]();
    // An abort takes milliseconds.
    if (!isRead) controller.abort();
  };
  stall.start();
  try {
    const response = await send(controller.signal);
    stall.stop();
    return {
      status: response.status,
      headers: response.headers,
      pieces: () => pieces(response),
      error: async () => responseError(server, response.status, pieces(response)),
      [Symbol.dispose]: close,
    };
  } catch (error) {
    const thrown = failed(error);
    close();
    throw thrown;
  }
}

async function requestList<T>(
  open: PullClient["open"],
  etag: string | null,
  receive: (list: ReceivedList) => Promise<T>,
): Promise<T | null> {
  using response = await open("/api/sync/manifest", etag === null ? {} : { "if-none-match": etag });
  if (response.status === 304 && etag !== null) return null;
  if (response.status !== 200) throw await response.error();
  return await receive({ etag: response.headers.get("etag"), pieces: response.pieces() });
}

/** Repeats work after transient errors, with growing pauses. */
async function withRetries<T>(
  host: Host,
  signal: AbortSignal | undefined,
  retries: number,
  work: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt > retries || !isTransient(error)) throw error;
      await host.sleep(backoffMs(host, attempt, undefined), signal);
    }
  }
}

/** Whether the same request may succeed later. */
export function isTransient(error: unknown): boolean {
  if (isAgnesError(error, "server_response_invalid")) return isTransientStatus(error.details.httpStatus);
  return isAgnesError(error) && error.retry === "transient";
}

/** The pause before a request is repeated. */
export function pauseMs(host: Host, attempt: number, headers: Headers | null): number {
  const wait = headers === null ? undefined : retryAfterMs(headers.get("retry-after"), host.now());
  return backoffMs(host, attempt, wait === undefined ? undefined : Math.min(wait, RETRY_AFTER_MAX_MS));
}

const RETRY_AFTER_MAX_MS = 60_000;
