import { describe, expect, test } from "bun:test";

import * as v from "valibot";

import { Secret, type Http, type HttpPagesRequest } from "../../lib/kit/mod.ts";
import { nextLink } from "../../lib/kit/http/paging.ts";
import { failureOf, LocalServer, respondWith, testHttp, type Handler, type Seen } from "./local-server.ts";

async function all<T>(http: Http, url: string, request: HttpPagesRequest<T>): Promise<T[]> {
  const pages: T[] = [];
  for await (const page of http.pages<T>(url, request)) pages.push(page);
  return pages;
}

/** Responds with the result of `make` for the request's query. */
const byQuery =
  (make: (query: URLSearchParams, seen: Seen) => unknown): Handler =>
  (seen, response) =>
    void response.end(JSON.stringify(make(new URL(seen.path, "http://x").searchParams, seen)));

describe("Http.pages", () => {
  test("pages() follows a cursor in the body to its end", async () => {
    await using server = await LocalServer.start(
      byQuery((query) => {
        const at = Number(query.get("pageToken") ?? 0);
        return { items: [at], limit: query.get("limit"), meta: { next: at < 2 ? String(at + 1) : "" } };
      }),
    );
    const { http } = testHttp();
    const paging = { kind: "cursor", parameter: "pageToken", cursor: "meta.next" } as const;
    const pages = await all<{ items: number[] }>(http, `${server.origin}/a`, { paging, query: { limit: 5 } });
    expect(pages.map((page) => page.items)).toEqual([[0], [1], [2]]);
    expect(server.seen.map((seen) => seen.path)).toEqual([
      "/a?limit=5",
      "/a?limit=5&pageToken=1",
      "/a?limit=5&pageToken=2",
    ]);
  });

  test("pages() passes the body to the functions of paging as its schema returns it", async () => {
    await using server = await LocalServer.start(
      respondWith({ next: "2", rows: [1] }),
      respondWith({ next: "", rows: [] }),
    );
    const { http } = testHttp();
    const schema = v.object({ next: v.pipe(v.string(), v.transform(Number)), rows: v.array(v.number()) });
    const numbers: number[] = [];
    for await (const { rows } of http.pages(`${server.origin}/a`, {
      schema,
      paging: { kind: "cursor", parameter: "after", cursor: ({ next }) => (next > 0 ? next + 1 : null) },
    }))
      numbers.push(...rows);
    expect(numbers).toEqual([1]);
    expect(server.seen.map((seen) => seen.path)).toEqual(["/a", "/a?after=3"]);
  });

  test("pages() puts the cursor into the JSON body if configured", async () => {
    await using server = await LocalServer.start(respondWith({ next: "b" }), respondWith({}));
    const { http } = testHttp();
    const paging = { kind: "cursor", parameter: "token", cursor: "next", place: "json" } as const;
    await all(http, `${server.origin}/a`, { paging, json: { q: 1 } });
    expect(server.seen.map((seen) => seen.body)).toEqual(['{"q":1}', '{"q":1,"token":"b"}']);
  });

  test("pages() counts pages until one is empty, and continues after a short page", async () => {
    const pagesOfSource = [[1, 2], [3], [4, 5], []];
    await using server = await LocalServer.start(
      byQuery((query) => ({ items: pagesOfSource[Number(query.get("page")) - 1] })),
    );
    const { http } = testHttp();
    const paging = { kind: "page", parameter: "page", items: "items" } as const;
    const pages = await all<{ items: number[] }>(http, `${server.origin}/a`, { paging });
    expect(pages.flatMap((page) => page.items)).toEqual([1, 2, 3, 4, 5]);
  });

  test("pages() counts items and stops at the total", async () => {
    const items = [10, 11, 12, 13, 14];
    await using server = await LocalServer.start(
      byQuery((query) => {
        const start = Number(query.get("startAt"));
        return { values: items.slice(start, start + 2), total: items.length };
      }),
    );
    const { http } = testHttp();
    const paging = { kind: "offset", parameter: "startAt", items: "values", total: "total" } as const;
    const pages = await all<{ values: number[] }>(http, `${server.origin}/a`, { paging });
    expect(pages.flatMap((page) => page.values)).toEqual(items);
    expect(server.seen.length).toBe(3);
  });

  test("pages() follows the Link header with its own query", async () => {
    await using server = await LocalServer.start(
      respondWith([1], 200, { link: '</a?page=2&x=1>; rel="next", </a?page=9>; rel="last"' }),
      respondWith([2]),
    );
    const { http } = testHttp();
    const pages = await all(http, `${server.origin}/a`, { paging: { kind: "link" }, query: { x: 1 } });
    expect(pages).toEqual([[1], [2]]);
    expect(server.seen[1]!.path).toBe("/a?page=2&x=1");
  });

  test("pages() sends credentials only to the origin of the first page", async () => {
    await using other = await LocalServer.start(respondWith({}));
    await using server = await LocalServer.start(
      respondWith({ next: "/b" }),
      respondWith({ next: `${other.origin}/c` }),
    );
    const { http } = testHttp();
    const headers = { "x-token": new Secret("T", "abcdef") };
    await all(http, `${server.origin}/a`, { paging: { kind: "url", next: "next" }, headers });
    expect(server.seen.map((seen) => seen.headers["x-token"])).toEqual(["abcdef", "abcdef"]);
    expect(other.seen.map((seen) => seen.headers["x-token"])).toEqual([undefined]);
  });

  test("pages() fails if cursors form a cycle or the source ignores the page number", async () => {
    await using circle = await LocalServer.start(
      byQuery((query) => ({ next: query.get("after") === "a" ? "b" : "a" })),
    );
    await using stuck = await LocalServer.start(respondWith({ items: [1, 2] }));
    const { http } = testHttp();
    const cursor = { kind: "cursor", parameter: "after", cursor: "next" } as const;
    expect(await failureOf(all(http, `${circle.origin}/a`, { paging: cursor }))).toMatchObject({
      code: "source_answer_invalid",
      message: expect.stringContaining("the pages form a cycle") as string,
    });
    const page = { kind: "page", parameter: "page", items: "items" } as const;
    expect(await failureOf(all(http, `${stuck.origin}/a`, { paging: page }))).toMatchObject({
      message: expect.stringContaining("two consecutive pages are identical") as string,
    });
    expect(
      await failureOf(all(http, `${stuck.origin}/a`, { paging: { ...page, items: "rows" } })),
    ).toMatchObject({
      message: expect.stringContaining("has no list of items") as string,
    });
  });

  test("pages() retries a failed page and continues from there", async () => {
    await using server = await LocalServer.start(
      respondWith({ next: "b", n: 1 }),
      respondWith({}, 500),
      respondWith({}, 429),
      respondWith({ n: 2 }),
    );
    const { http } = testHttp();
    const paging = { kind: "cursor", parameter: "after", cursor: "next" } as const;
    const pages = await all<{ n: number }>(http, `${server.origin}/a`, { paging });
    expect(pages.map((page) => page.n)).toEqual([1, 2]);
  });
});

test("nextLink() finds the next page among quoted, unquoted and several relations", () => {
  expect(nextLink('<https://x/2>; title="a, b"; rel="prev next"')).toBe("https://x/2");
  expect(nextLink("<https://x/1>; rel=prev, <https://x/3,4>; rel=next")).toBe("https://x/3,4");
  expect(nextLink('<https://x/1>; rel="nextish"')).toBeUndefined();
  expect(nextLink(null)).toBeUndefined();
});
