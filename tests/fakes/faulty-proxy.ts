/** What happens to a request on its way. */
export type ProxyFault =
  | { readonly kind: "answer"; readonly status: number; readonly afterEffect: boolean }
  | { readonly kind: "hang"; readonly afterEffect: boolean };

/** An HTTP proxy in front of a server on this machine. */
export interface FaultyProxy extends AsyncDisposable {
  readonly port: number;
  /** The requests so far, as `METHOD path`. */
  readonly requests: string[];
  /** Decides what happens to the next requests. */
  fault: (request: { readonly method: string; readonly path: string }) => ProxyFault | undefined;
}

/** Starts a proxy that can fail or hang any request, before or after the server has done what it asks. */
export function startFaultyProxy(port: number): FaultyProxy {
  const requests: string[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      const url = new URL(request.url);
      const path = url.pathname + url.search;
      requests.push(`${request.method} ${path}`);
      const fault = proxy.fault({ method: request.method, path });
      const forward = async () =>
        fetch(`http://127.0.0.1:${port}${path}`, {
          method: request.method,
          headers: request.headers,
          body: request.method === "GET" ? null : await request.arrayBuffer(),
          decompress: false,
        });
      if (fault === undefined) return forward();
      if (fault.afterEffect) await (await forward()).arrayBuffer();
      return fault.kind === "hang" ? new Promise<Response>(() => {}) : refusal(fault.status);
    },
  });
  const proxy: FaultyProxy = {
    port: server.port!,
    requests,
    fault: () => undefined,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
  return proxy;
}

function refusal(status: number): Response {
  const body = JSON.stringify({ "odata.error": { code: "Injected", message: { value: "injected" } } });
  const headers = { "content-type": "application/json", "retry-after": "0" };
  return new Response(body, { status, headers });
}
