import { compileRoutes } from "./route-table.ts";
import { faultyFetch, type FaultyFetch } from "./faulty-fetch.ts";

/** A request received by a fake server. */
export interface FakeRequest {
  readonly method: string;
  readonly url: URL;
  /** The values of the `:names` in the path of the route, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly headers: Headers;
  /** As text; empty if there is none. */
  readonly body: string;
  /** Returns the slice of `rows` from `offset` of at most `size`; shorter after `shortenNextPage`. */
  readonly page: <T>(
    rows: readonly T[],
    offset: number,
    size: number,
  ) => { readonly rows: readonly T[]; readonly next: number | null };
}

/** Responds to the requests of one route. */
export type FakeRoute = (request: FakeRequest) => Response | Promise<Response>;

/** An in-memory API behind `fetch`. */
export interface FakeServer extends FaultyFetch {
  /** All requests that reached the server, without injected faults. */
  readonly requests: readonly { readonly method: string; readonly url: string; readonly headers: Headers }[];
  /** After `skip` pages, the next page has half of the requested rows, as in real APIs. */
  shortenNextPage(skip?: number): void;
}

/**
 * Creates a fake HTTP API, for testing a connector without a network.
 *
 * Pass it to the contract suite, which then also injects faults. The key of a route is `METHOD /path`, or
 * `METHOD https://host/path` for one host. `:name` in the path matches one segment, a final `*` all others; the first
 * matching route is used, and other requests get 404.
 *
 * @throws RangeError if the key of a route is malformed
 * @example
 * ```ts
 * import { fakeServer } from "agnes/testing";
 * const server = fakeServer({
 *   "GET /contacts/:id": ({ params }) => Response.json({ id: Number(params["id"]) }),
 *   "GET /contacts": ({ url, page }) => {
 *     const { rows, next } = page([{ id: 1 }, { id: 2 }], Number(url.searchParams.get("after") ?? 0), 1);
 *     return Response.json({ results: rows, next });
 *   },
 * });
 * const response = await server.fetch("https://api.example.com/contacts");
 * ```
 */
export function fakeServer(routes: Readonly<Record<string, FakeRoute>>): FakeServer {
  const find = compileRoutes(routes);
  const requests: { method: string; url: string; headers: Headers }[] = [];
  let untilShort = Number.POSITIVE_INFINITY;
  const page: FakeRequest["page"] = (rows, offset, size) => {
    const asked = untilShort === 0 ? Math.max(1, Math.floor(size / 2)) : size;
    untilShort -= 1;
    const end = offset + asked;
    return { rows: rows.slice(offset, end), next: end < rows.length ? end : null };
  };
  const respond = async (...[input, init]: Parameters<typeof fetch>): Promise<Response> => {
    const request = new Request(input as string, init as RequestInit);
    request.signal.throwIfAborted();
    const url = new URL(request.url);
    requests.push({ method: request.method, url: request.url, headers: request.headers });
    const found = find(request.method, url);
    if (found === null) return Response.json({ error: "not found" }, { status: 404 });
    const { route, params } = found;
    const { method, headers } = request;
    return route({ method, url, params, headers, body: await request.text(), page });
  };
  const network = faultyFetch(respond as typeof globalThis.fetch);
  return Object.defineProperties(
    {
      requests,
      shortenNextPage(skip = 0) {
        untilShort = skip;
      },
    },
    Object.getOwnPropertyDescriptors(network),
  ) as unknown as FakeServer;
}
