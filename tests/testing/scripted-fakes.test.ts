import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";

import {
  fakeHost,
  fakeServer,
  pageCursors,
  rateLimited,
  scriptedJob,
  signedSlices,
  withFaults,
  type FakeServer,
} from "agnes/testing";

const request = (server: FakeServer, path: string, init: RequestInit = {}) =>
  server.fetch(new URL(path, "https://api.example.com").href, init) as Promise<Response>;

describe("fakeServer() routes", () => {
  test("fakeServer() matches names, the rest of a path and hosts, and decodes them", async () => {
    const server = fakeServer({
      "GET /v1/jobs/:job/slices/:slice": ({ params }) => Response.json(params),
      "GET https://storage.example.net/files/*": ({ params }) => Response.json(params),
      "GET /v1/a.b": () => Response.json("dot"),
    });
    const bodyOf = async (path: string) => (await request(server, path)).json();
    expect(await bodyOf("/v1/jobs/7/slices/a%2Fb?x=1")).toEqual({ job: "7", slice: "a/b" });
    expect(await bodyOf("https://storage.example.net/files/7/0.csv")).toEqual({ "*": "7/0.csv" });
    expect(await bodyOf("/v1/a.b")).toBe("dot");
    for (const path of ["/v1/jobs/7/slices", "/files/7", "/v1/axb"])
      expect((await request(server, path)).status).toBe(404);
    expect((await request(server, "/v1/a.b", { method: "POST" })).status).toBe(404);
  });

  test("fakeServer() uses the first matching route, and rejects a malformed one", async () => {
    const server = fakeServer({
      "GET /tickets/deleted": () => Response.json("deleted"),
      "GET /tickets/:id": () => Response.json("one"),
    });
    expect(await (await request(server, "/tickets/deleted")).json()).toBe("deleted");
    expect(await (await request(server, "/tickets/8")).json()).toBe("one");
    for (const key of ["/tickets", "GET tickets", "get /tickets"])
      expect(() => fakeServer({ [key]: () => Response.json(1) })).toThrow(RangeError);
  });

  test("withFaults() counts the requests of its route only, and cuts after the exact number of bytes", async () => {
    const server = fakeServer({
      "GET /other": () => Response.json(1),
      "GET /file": withFaults(
        () => new Response("0123456789", { headers: { etag: '"a"' } }),
        (n) =>
          n === 1
            ? { kind: "cut body", bytes: 4 }
            : n === 2
              ? { kind: "status", status: 503 }
              : n === 3
                ? { kind: "reset" }
                : undefined,
      ),
    });
    await request(server, "/other");
    const first = await request(server, "/file");
    expect([first.status, first.headers.get("etag")]).toEqual([200, '"a"']);
    const reader = first.body!.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("0123");
    expect(await reader.read().catch((error: unknown) => error)).toMatchObject({
      cause: { code: "ECONNRESET" },
    });
    expect((await request(server, "/file")).status).toBe(503);
    expect(await request(server, "/file").catch((error: unknown) => error)).toMatchObject({
      cause: { code: "ECONNRESET" },
    });
    expect(await (await request(server, "/file")).text()).toBe("0123456789");
  });
});

describe("scriptedJob()", () => {
  const routesOf = (job: ReturnType<typeof scriptedJob>) => ({
    "POST /exports": job.start,
    "GET /jobs/:id": job.poll,
    "DELETE /jobs/:id": job.cancel,
  });
  const POST = { method: "POST", body: '{"table":"orders"}' };
  const DELETE = { method: "DELETE" };

  test("scriptedJob() ends after its polls, with a result of the request, and keeps it", async () => {
    const job = scriptedJob({
      polls: [{ status: "running", progress: 40 }, () => new Response(null, { status: 429 })],
      result: ({ id, request }) => ({ status: "done", file: `${id}/${JSON.parse(request.body).table}` }),
    });
    const server = fakeServer(routesOf(job));
    const started = await request(server, "/exports", POST);
    expect([started.status, await started.json()]).toEqual([202, { id: 1, status: "waiting" }]);
    await request(server, "/exports", POST);
    const poll = () => request(server, "/jobs/1");
    expect(await (await poll()).json()).toEqual({ id: 1, status: "running", progress: 40 });
    expect((await poll()).status).toBe(429);
    for (const _ of [1, 2])
      expect(await (await poll()).json()).toEqual({ id: 1, status: "done", file: "1/orders" });
    expect((await request(server, "/jobs/1", DELETE)).status).toBe(409);
    expect(await (await request(server, "/jobs/2")).json()).toMatchObject({ id: 2, progress: 40 });
    expect((await request(server, "/jobs/3")).status).toBe(404);
    expect([job.started.length, job.cancelled]).toEqual([2, []]);
  });

  test("scriptedJob() stops at a cancel, and can fail", async () => {
    const job = scriptedJob({
      polls: [{ status: "running" }],
      result: { status: "failed", error: "no disk" },
    });
    const server = fakeServer(routesOf(job));
    await request(server, "/exports", POST);
    await request(server, "/exports", POST);
    for (const _ of [1, 2]) expect((await request(server, "/jobs/1", DELETE)).status).toBe(204);
    expect(await (await request(server, "/jobs/1")).json()).toEqual({ id: 1, status: "cancelled" });
    expect(job.cancelled).toEqual([1]);
    await request(server, "/jobs/2");
    expect(await (await request(server, "/jobs/2")).json()).toEqual({
      id: 2,
      status: "failed",
      error: "no disk",
    });
  });
});

describe("signedSlices()", () => {
  const CONTENT = "id\n1\n2\n3\n";
  const opened = (options: Partial<Parameters<typeof signedSlices>[0]> = {}) => {
    const slices = signedSlices({ files: { "7/0.csv": CONTENT, "8/0.csv": "" }, ...options });
    const server = fakeServer(slices.routes);
    const get = (url: string, headers: Record<string, string> = {}) => request(server, url, { headers });
    return { slices, get, link: () => slices.list("7/")[0]!.url };
  };

  test("signedSlices() lists files with sizes and checksums, and returns their content", async () => {
    const { slices, get } = opened();
    const [slice, ...others] = slices.list("7/");
    expect(others).toEqual([]);
    expect(slice).toMatchObject({
      name: "7/0.csv",
      sizeBytes: 9,
      md5: createHash("md5").update(CONTENT).digest("base64"),
    });
    expect(slices.list().map(({ name }) => name)).toEqual(["7/0.csv", "8/0.csv"]);
    const response = await get(slice!.url);
    expect([response.status, response.headers.get("content-length"), await response.text()]).toEqual([
      200,
      "9",
      CONTENT,
    ]);
  });

  test("signedSlices() rejects expired, foreign and missing signatures, and a second credential", async () => {
    const host = fakeHost();
    const { slices, get, link } = opened({ maxUses: 2, lifetimeMs: 60_000, clock: host });
    const used = link();
    const statuses = [];
    for (const _ of [1, 2, 3]) statuses.push((await get(used)).status);
    expect(statuses).toEqual([200, 200, 403]);
    const old = link();
    await host.sleep(60_000);
    expect((await get(old)).status).toBe(403);
    const fresh = link();
    expect((await get(fresh.replace("7/0", "8/0"))).status).toBe(403);
    expect((await get(fresh.split("?")[0]!)).status).toBe(403);
    expect((await get(fresh, { authorization: "Bearer x" })).status).toBe(400);
    expect((await get(fresh)).status).toBe(200);
    slices.expire();
    expect(await (await get(fresh)).text()).toContain("Request has expired");
    expect((await get(link())).status).toBe(200);
    expect(slices.requests.map(({ status }) => status)).toEqual([
      200, 200, 403, 403, 403, 403, 400, 200, 403, 200,
    ]);
  });

  test("signedSlices() responds to ranges and conditions as RFC 9110 defines", async () => {
    const { slices, get, link } = opened();
    const etag = (await get(link())).headers.get("etag")!;
    const part = async (headers: Record<string, string>) => {
      const response = await get(link(), headers);
      return [response.status, response.headers.get("content-range"), await response.text()];
    };
    expect(await part({ range: "bytes=3-" })).toEqual([206, "bytes 3-8/9", "1\n2\n3\n"]);
    expect(await part({ range: "bytes=3-4", "if-range": etag })).toEqual([206, "bytes 3-4/9", "1\n"]);
    expect(await part({ range: "bytes=-2" })).toEqual([206, "bytes 7-8/9", "3\n"]);
    expect(await part({ range: "bytes=9-" })).toEqual([416, "bytes */9", ""]);
    for (const range of ["bytes=0-1,3-4", "lines=1-", "bytes=-", "bytes=5-3"])
      expect(await part({ range })).toEqual([200, null, CONTENT]);
    expect(await part({ range: "bytes=3-", "if-range": '"other"' })).toEqual([200, null, CONTENT]);
    expect(await part({ "if-none-match": etag })).toEqual([304, null, ""]);
    slices.write("7/0.csv");
    expect(await part({ "if-none-match": etag })).toEqual([200, null, CONTENT]);
    expect(await part({ range: "bytes=3-", "if-range": etag })).toEqual([200, null, CONTENT]);
    expect(slices.requests.at(-1)).toEqual({ name: "7/0.csv", range: "bytes=3-", status: 200 });
    const without = opened({ ranges: false });
    expect((await without.get(without.link(), { range: "bytes=3-" })).status).toBe(200);
  });
});

describe("rateLimited()", () => {
  const routes = { "GET /a": () => Response.json("a"), "GET /b": () => Response.json("b") };

  test("rateLimited() rejects all routes until the window is over, with seconds or a date", async () => {
    for (const [retryAfter, expected] of [
      ["seconds", "20"],
      ["date", "Thu, 01 Jan 2026 00:00:30 GMT"],
    ] as const) {
      const host = fakeHost({ startsAt: new Date("2026-01-01T00:00:00Z") });
      const limit = { requests: 2, windowMs: 29_500, retryAfter, clock: host };
      const server = fakeServer(rateLimited(routes, limit));
      const status = async (path: string) => (await request(server, path)).status;
      expect([await status("/a"), await status("/b")]).toEqual([200, 200]);
      await host.sleep(10_000);
      const rejected = await request(server, "/a");
      expect([rejected.status, rejected.headers.get("retry-after")]).toEqual([429, expected]);
      await host.sleep(19_499);
      expect(await status("/b")).toBe(429);
      await host.sleep(1);
      expect([await status("/a"), await status("/b"), await status("/b")]).toEqual([200, 200, 429]);
    }
  });

  test("rateLimited() without a clock rejects one request per window", async () => {
    const server = fakeServer(rateLimited(routes, { requests: 2 }));
    const statuses = [];
    for (let n = 0; n < 6; n += 1) statuses.push((await request(server, "/a")).status);
    expect(statuses).toEqual([200, 200, 429, 200, 200, 429]);
  });
});

describe("pageCursors()", () => {
  test("pageCursors() returns the same page for a cursor until it expires", () => {
    const host = fakeHost();
    const cursors = pageCursors({ lifetimeMs: 1000, clock: host });
    const [first, second] = [cursors.at(50)!, cursors.at(100)!];
    expect([cursors.offsetOf(null), cursors.at(null)]).toEqual([0, null]);
    expect([cursors.offsetOf(first), cursors.offsetOf(first), cursors.offsetOf(second)]).toEqual([
      50, 50, 100,
    ]);
    expect(cursors.offsetOf("50")).toBeNull();
    host.advance(1000);
    expect(cursors.offsetOf(first)).toBeNull();
    const third = cursors.at(50);
    cursors.expire();
    expect(cursors.offsetOf(third)).toBeNull();
  });
});

describe("the details of HTTP in fakes", () => {
  test("signedSlices() compares If-None-Match weakly, and ignores the case of the range unit", async () => {
    const slices = signedSlices({ files: { a: "0123456789" } });
    const server = fakeServer({ ...slices.routes });
    const [{ url } = { url: "" }] = slices.list();
    const etag = (await server.fetch(url)).headers.get("etag")!;
    const statusOf = async (headers: Record<string, string>) => (await server.fetch(url, { headers })).status;
    expect(await statusOf({ "if-none-match": `W/${etag}` })).toBe(304);
    expect(await statusOf({ "if-none-match": `"other", W/${etag}` })).toBe(304);
    expect(await statusOf({ "if-none-match": 'W/"other"' })).toBe(200);
    // If-Range compares strongly.
    expect(await statusOf({ range: "bytes=5-", "if-range": `W/${etag}` })).toBe(200);
    expect(await statusOf({ range: "Bytes=5-" })).toBe(206);
  });

  test.each(["01", "1.0", "1e0", "+1", "0x1", "%201", "0", "2"])(
    "scriptedJob() has no job %p after one start",
    async (id) => {
      const job = scriptedJob({ result: { status: "done" } });
      const server = fakeServer({ "POST /jobs": job.start, "GET /jobs/:id": job.poll });
      await server.fetch("https://api.example.com/jobs", { method: "POST" });
      expect((await server.fetch(`https://api.example.com/jobs/${id}`)).status).toBe(404);
      expect((await server.fetch("https://api.example.com/jobs/1")).status).toBe(200);
    },
  );

  test.each([
    ["statuss", 'there is no fault "statuss"; did you mean status?'],
    ["dropped connection", 'there is no fault "dropped connection"'],
    ["repeat", 'there is no fault "repeat"'],
  ])("withFaults() refuses the kind %p", async (kind, message) => {
    const route = withFaults(
      () => new Response("x"),
      () => ({ kind, status: 500 }) as never,
    );
    const server = fakeServer({ "GET /a": route });
    const failure = await server.fetch("https://api.example.com/a").catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RangeError);
    expect((failure as Error).message).toStartWith(message);
  });

  test("inject() refuses an unknown kind", () => {
    expect(() => fakeServer({}).inject([{ kind: "cutbody" } as never])).toThrow("did you mean cut body?");
  });
});
