import type { Host } from "../../base/mod.ts";
import type { FakeRoute } from "./fake-server.ts";

/** A rate limit and how it is reported. */
export interface RateLimit {
  /** The number of requests accepted per window. */
  readonly requests: number;
  /** The length of a window in milliseconds; it starts with its first request. Default: 60,000. */
  readonly windowMs?: number;
  /** The form of Retry-After: seconds, or an HTTP date. Default: `seconds`. */
  readonly retryAfter?: "seconds" | "date";
  /**
   * The clock, such as `fakeHost()`: requests are rejected until the window is over. Default: none; a window ends
   * with its first rejected request, because the contract suite shortens all waits.
   */
  readonly clock?: Pick<Host, "now">;
}

/**
 * Limits the requests of several routes together: further requests get 429 with Retry-After.
 *
 * Faithful to RFC 6585, section 4 (429) and RFC 9110, section 10.2.3 (Retry-After, rounded up to whole seconds). Fixed
 * windows, as in most APIs; rejected requests do not extend the window.
 *
 * @example
 * ```ts
 * import { fakeHost, fakeServer, rateLimited } from "agnes/testing";
 * const host = fakeHost();
 * const tickets = () => Response.json({ tickets: [] });
 * const server = fakeServer(
 *   rateLimited({ "GET /tickets": tickets }, { requests: 1, windowMs: 30_000, clock: host }),
 * );
 * await server.fetch("https://api.example.com/tickets"); // 200
 * await server.fetch("https://api.example.com/tickets"); // 429, Retry-After: 30
 * await host.sleep(30_000);
 * await server.fetch("https://api.example.com/tickets"); // 200
 * ```
 */
export function rateLimited(
  routes: Readonly<Record<string, FakeRoute>>,
  limit: RateLimit,
): Readonly<Record<string, FakeRoute>> {
  const { requests, windowMs = 60_000, retryAfter = "seconds", clock } = limit;
  let accepted = 0;
  let endsAtMs = Number.NEGATIVE_INFINITY;
  const limited =
    (route: FakeRoute): FakeRoute =>
    (request) => {
      const atMs = (clock?.now() ?? new Date()).getTime();
      if (accepted === 0 || (clock !== undefined && atMs >= endsAtMs)) {
        accepted = 0;
        endsAtMs = atMs + windowMs;
      }
      accepted += 1;
      if (accepted <= requests) return route(request);
      if (clock === undefined) accepted = 0;
      const seconds = Math.ceil(Math.max(0, endsAtMs - atMs) / 1000);
      const value =
        retryAfter === "seconds"
          ? String(seconds)
          : new Date(Math.ceil(endsAtMs / 1000) * 1000).toUTCString();
      return Response.json(
        { error: "too many requests" },
        { status: 429, headers: { "retry-after": value } },
      );
    };
  return Object.fromEntries(Object.entries(routes).map(([key, route]) => [key, limited(route)]));
}
