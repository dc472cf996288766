import { faultyFetch, type FaultyFetch } from "./faulty-fetch.ts";

/** A request as a fake server sees it. */
export interface FakeRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  readonly body: string;
  /** The slice of `rows` from `offset`, of at most `size`; shorter when a short page was asked for. */
  readonly page: <T>(
    rows: readonly T[],
    offset: number,
    size: number,
  ) => { readonly rows: readonly T[]; readonly next: number | null };
}

/** Answers one kind of request; the key in the table of routes is `METHOD /path`. */
export type FakeRoute = (request: FakeRequest) => Response | Promise<Response>;

/** An API that lives in memory and speaks through `fetch`. */
export interface FakeServer extends FaultyFetch {
  /** Every request that reached the server, faults left out. */
  readonly requests: readonly { readonly method: string; readonly url: string; readonly headers: Headers }[];
  /** After `skip` pages, the next that a route makes has half the rows asked for, as vendors' APIs do at will. */
  shortenNextPage(skip?: number): void;
}

/**
 * A faithful fake of an HTTP API, for testing a connector without a network.
 *
 * Give its `fetch` to the contract suite, which then also injects its faults.
 *
 * @example
 * ```ts
 * import { fakeServer } from "agnes/testing";
 * const server = fakeServer({
 *   "GET /contacts": ({ url, page }) => {
 *     const { rows, next } = page([{ id: 1 }, { id: 2 }], Number(url.searchParams.get("after") ?? 0), 1);
 *     return Response.json({ results: rows, next });
 *   },
 * });
 * const answer = await server.fetch("https://api.example.com/contacts");
 * ```
 */
export function fakeServer(routes: Readonly<Record<string, FakeRoute>>): FakeServer {
  const requests: { method: string; url: string; headers: Headers }[] = [];
  let untilShort = Number.POSITIVE_INFINITY;
  const page: FakeRequest["page"] = (rows, offset, size) => {
    const asked = untilShort === 0 ? Math.max(1, Math.floor(size / 2)) : size;
    untilShort -= 1;
    const end = offset + asked;
    return { rows: rows.slice(offset, end), next: end < rows.length ? end : null };
  };
  const answer = async (...[input, init]: Parameters<typeof fetch>): Promise<Response> => {
    const request = new Request(input as string, init as RequestInit);
    request.signal.throwIfAborted();
    const url = new URL(request.url);
    requests.push({ method: request.method, url: request.url, headers: request.headers });
    const route = routes[`${request.method} ${url.pathname}`];
    if (route === undefined) return Response.json({ error: "not found" }, { status: 404 });
    const { method, headers } = request;
    return route({ method, url, headers, body: await request.text(), page });
  };
  const network = faultyFetch(answer as typeof globalThis.fetch);
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
