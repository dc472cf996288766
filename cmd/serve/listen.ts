import { isIP } from "node:net";

import { AgnesError, messageOf, type Log } from "../../lib/base/mod.ts";
import type { RequestInfo } from "../../lib/serve/mod.ts";
import { allowedHosts } from "./addresses.ts";

/** Seconds without any byte until Bun closes a connection, before a client is signed in and its body was read. */
const IDLE_SECONDS = 20;
/** Bun's own limit of bodies. It responds without a body, so it is above that of each route, which responds in our shape. */
const BODY_BYTES_MIN = 64 * 1_048_576;
/** How long requests may run after the server stopped accepting connections. */
const DRAIN_MS = 10_000;

type Handler = (request: Request, info: RequestInfo) => Promise<Response>;

/** A listening server. */
export interface Listening {
  readonly port: number;
  /** Stops accepting connections, and waits for the requests, for at most `drainMs`. */
  drain(): Promise<void>;
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "the address is in use",
  EADDRNOTAVAIL: "this machine does not have the address",
  EACCES: "the system does not allow it",
};

function reasonOf(host: string, cause: unknown): string {
  const { code = "" } = cause as { readonly code?: string };
  const reason = REASONS[code];
  if (reason !== undefined) return reason;
  // Bun's code for a lookup that failed is that of an earlier, unrelated call of the system.
  return isIP(host) === 0 ? "the host name is not known" : messageOf(cause);
}

/** Listens for HTTP requests. @throws `listen_failed` */
export function listen(options: {
  readonly host: string;
  readonly port: number;
  readonly maxBodyBytes: number;
  readonly log: Log;
  readonly handle: Handler;
  /** Default: 20. */
  readonly idleSeconds?: number;
  /** Default: 10,000. */
  readonly drainMs?: number;
}): Listening {
  const { host, log, handle, idleSeconds = IDLE_SECONDS, drainMs = DRAIN_MS } = options;
  let hosts: readonly string[] = [];
  const server = serve(options, async (request) => {
    const address = server.requestIP(request)?.address;
    return handle(request, {
      hosts,
      address,
      onReady: () => server.timeout(request, 0),
    });
  });
  const port = server.port!;
  hosts = allowedHosts(host, port);
  return {
    port,
    async drain() {
      const stopped = server.stop();
      const isDrained = await Promise.race([stopped.then(() => true), Bun.sleep(drainMs).then(() => false)]);
      if (isDrained) return;
      log.warn("requests were stopped because they did not end in time", {
        requests: server.pendingRequests,
      });
      await server.stop(true);
    },
  };

  function serve(
    { port: wanted, maxBodyBytes }: { readonly port: number; readonly maxBodyBytes: number },
    fetch: (request: Request) => Promise<Response>,
  ) {
    try {
      return Bun.serve({
        hostname: host,
        port: wanted,
        development: false,
        // Otherwise another server could listen on the same port and get a part of the requests.
        reusePort: false,
        idleTimeout: idleSeconds,
        maxRequestBodySize: Math.max(BODY_BYTES_MIN, 2 * maxBodyBytes),
        fetch,
        error(error) {
          log.error("a request failed outside the routes", { error });
          const failed = {
            code: "internal",
            message: "the request failed",
            hint: "See the server's log.",
            details: {},
          };
          return Response.json({ error: failed }, { status: 500 });
        },
      });
    } catch (cause) {
      const reason = reasonOf(host, cause);
      throw new AgnesError("listen_failed", { address: `${host}:${wanted}`, reason }, { cause });
    }
  }
}
