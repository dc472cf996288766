import type { FakeRequest, FakeRoute } from "./fake-server.ts";
import { checkFaults, misbehave, type RouteFault } from "./faulty-fetch.ts";

/**
 * Injects faults into one route, selected by the number of its request, from 1. `FakeServer.inject` counts all requests
 * of a server instead.
 *
 * Faithful to how clients experience faults: a dropped connection rejects `fetch` or the body with ECONNRESET, after a
 * Content-Length of more bytes.
 *
 * @throws RangeError from the route, for a fault of an unknown kind
 * @example
 * ```ts
 * import { fakeServer, withFaults } from "agnes/testing";
 * const file = () => new Response("id\n1\n2\n", { headers: { etag: '"v1"' } });
 * const server = fakeServer({
 *   // The first request gets 3 bytes, the second one 429, all others succeed.
 *   "GET /orders.csv": withFaults(file, (n) =>
 *     n === 1
 *       ? { kind: "cut body", bytes: 3 }
 *       : n === 2
 *         ? { kind: "status", status: 429, retryAfter: "1" }
 *         : undefined,
 *   ),
 * });
 * ```
 */
export function withFaults(
  route: FakeRoute,
  fault: (n: number, request: FakeRequest) => RouteFault | undefined,
): FakeRoute {
  let count = 0;
  return async (request) => {
    count += 1;
    const found = fault(count, request);
    if (found !== undefined) checkFaults([found], ["status", "reset", "cut body"]);
    const send = async () => route(request);
    return found === undefined ? send() : misbehave(found, send);
  };
}
