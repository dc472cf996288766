import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { createHost, createLog, throwIfAborted, type Host, type LogEntry } from "../../lib/base/mod.ts";
import { createHttp, type Http } from "../../lib/kit/mod.ts";

/** A request received by the local server. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export type Handler = (seen: Seen, response: ServerResponse, request: IncomingMessage) => void;

/** A real HTTP server on 127.0.0.1; each request goes to the next of `handlers`, and the last one repeats. */
export class LocalServer implements AsyncDisposable {
  readonly seen: Seen[] = [];
  readonly #server;
  readonly #handlers: readonly Handler[];

  private constructor(handlers: readonly Handler[]) {
    this.#handlers = handlers;
    this.#server = createServer((request, response) => {
      const pieces: Buffer[] = [];
      request.on("data", (piece: Buffer) => pieces.push(piece));
      request.on("end", () => {
        const { method = "", url: path = "", headers } = request;
        const seen = { method, path, headers, body: Buffer.concat(pieces).toString() };
        this.seen.push(seen);
        const handler = this.#handlers[Math.min(this.seen.length, this.#handlers.length) - 1]!;
        handler(seen, response, request);
      });
    });
  }

  static async start(...handlers: Handler[]): Promise<LocalServer> {
    const server = new LocalServer(handlers);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Responds with JSON. */
export const respondWith =
  (body: unknown, status = 200, headers: Record<string, string> = {}): Handler =>
  (_seen, response) =>
    void response
      .writeHead(status, { "content-type": "application/json", ...headers })
      .end(JSON.stringify(body));

/** Responds with a redirect. */
export const redirect =
  (location: string, status = 302): Handler =>
  (_seen, response) =>
    void response.writeHead(status, { location }).end();

/** Closes the connection without a response. */
export const hangUp: Handler = (_seen, _response, request) => void request.socket.destroy();

/** A client over the real network whose waits are recorded and return immediately. */
export function testHttp(overrides: Partial<Host> = {}): {
  readonly http: Http;
  readonly sleeps: readonly number[];
  readonly log: readonly LogEntry[];
} {
  const sleeps: number[] = [];
  const log: LogEntry[] = [];
  let elapsedMs = 0;
  const host = createHost({
    random: () => 0.5,
    now: () => new Date(Date.UTC(2026, 0, 1) + elapsedMs),
    monotonicMs: () => elapsedMs,
    sleep: async (durationMs, signal) => {
      throwIfAborted(signal, "waiting");
      sleeps.push(durationMs);
      elapsedMs += durationMs;
    },
    ...overrides,
  });
  return { http: createHttp({ host, log: createLog((entry) => log.push(entry)) }), sleeps, log };
}

/** Returns the error of work; throws if it succeeds. */
export async function failureOf(work: Promise<unknown>): Promise<unknown> {
  const outcome = await work.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ("value" in outcome) throw new Error(`expected a failure, got ${String(outcome.value)}`);
  return outcome.error;
}
