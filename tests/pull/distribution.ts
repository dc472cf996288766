import { createHash } from "node:crypto";

import type { Agnes } from "../../lib/agnes.ts";

/** A table of a manifest, as it is sent. */
export type SentTable = Record<string, unknown> & {
  readonly parts: Record<string, unknown>[];
  unavailable: { readonly code: string; readonly message: string } | null;
};

/** The content of a manifest, as it is sent. */
export interface SentManifest {
  readonly server_time: string;
  readonly tables: Record<string, SentTable>;
}

/** A server of the tables of a workspace, whose responses a test can change. */
export interface Distribution extends AsyncDisposable {
  readonly address: string;
  /** Each request, as `GET /path 200`, with the range if there is one. */
  readonly requests: string[];
  /** Headers of the last request. */
  lastHeaders: Headers | null;
  /** Changes a manifest before it is sent. */
  change: (manifest: SentManifest) => void;
  /** Returns a response instead of the usual one; null: the usual one. */
  respond: (request: Request, url: URL) => Promise<Response | null> | Response | null;
}

export const TOKEN = "agnes-token-of-the-test";

/** Serves a workspace by its own routes, whose manifest a test can change. */
export function distribute(agnes: Agnes): Distribution {
  const requests: string[] = [];
  let token: Promise<{ readonly token: string }> | null = null;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    development: false,
    async fetch(request) {
      const url = new URL(request.url);
      self.lastHeaders = request.headers;
      const own = await self.respond(request, url);
      const response = own ?? (await usual(request, url));
      const range = request.headers.get("range");
      requests.push(
        `${request.method} ${url.pathname}${url.search} ${response.status}${range === null ? "" : ` ${range}`}`,
      );
      return response;
    },
  });
  const self: Distribution = {
    address: `http://127.0.0.1:${server.port}`,
    requests,
    lastHeaders: null,
    change: () => {},
    respond: () => null,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
  const usual = async (request: Request, url: URL): Promise<Response> => {
    if (request.headers.get("authorization") !== `Bearer ${TOKEN}`) return problem(401, "token_invalid");
    return url.pathname === "/api/sync/manifest" ? manifest(request) : own(request, url);
  };
  /** The response of the server itself. */
  const own = async (request: Request, { pathname, search }: URL): Promise<Response> => {
    token ??= agnes.tokens().then((tokens) => tokens.create({ name: "distribution", role: "admin" }));
    const headers = new Headers(request.headers);
    headers.set("authorization", `Bearer ${(await token).token}`);
    return agnes.fetch(new Request(`http://127.0.0.1${pathname}${search}`, { headers }));
  };
  const manifest = async (request: Request) => {
    const response = await own(new Request(request.url), new URL(request.url));
    if (!response.ok) return response;
    const content = (await response.json()) as SentManifest;
    self.change(content);
    const { server_time: _, ...hashed } = content;
    const etag = `"${createHash("sha256").update(JSON.stringify(hashed)).digest("hex")}"`;
    if (request.headers.get("if-none-match") === etag) return new Response(null, { status: 304 });
    return Response.json(content, { headers: { etag } });
  };
  return self;
}

export function problem(status: number, code: string): Response {
  return Response.json(
    { error: { code, message: `the error ${code}`, hint: "Nothing.", details: {} } },
    { status },
  );
}
