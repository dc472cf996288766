import { describe, expect, test } from "bun:test";

import { Secret, type AgnesError } from "../../lib/base/mod.ts";
import { failureOf, hangUp, LocalServer, respondWith, testHttp } from "./local-server.ts";

describe("Http retries", () => {
  test("json() returns the response of a later attempt if the source is busy", async () => {
    await using server = await LocalServer.start(
      respondWith({}, 503),
      respondWith({}, 500),
      respondWith({ n: 1 }),
    );
    const { http, sleeps, log } = testHttp();
    expect(await http.json<{ n: number }>(`${server.origin}/a`)).toEqual({ n: 1 });
    expect(server.seen.length).toBe(3);
    // A retry is no warning, because commands print the warnings of connectors.
    const retries = log.filter(({ message }) => message.endsWith("; retrying"));
    expect(retries.map(({ level }) => level)).toEqual(["info", "info"]);
    // Half of each wait is fixed and half random: 500 and 1000 ms at random 0.5.
    expect(sleeps).toEqual([375, 750]);
  });

  test("json() retries further statuses of the request or the client, also of a POST", async () => {
    for (const isDefault of [false, true]) {
      await using server = await LocalServer.start(
        respondWith({}, 409),
        respondWith({}, 423),
        respondWith({ n: 1 }),
      );
      const { http } = testHttp();
      const retry = { statuses: [409, 423] };
      const client = isDefault ? http.with(retry) : http;
      const request = { json: { a: 1 }, ...(isDefault ? {} : retry) };
      expect(await client.json<{ n: number }>(`${server.origin}/a`, request)).toEqual({ n: 1 });
      expect(server.seen.length).toBe(3);
    }
  });

  test("json() fails with source_unavailable after retries of a further status, and never retries 401", async () => {
    await using server = await LocalServer.start(respondWith({}, 409));
    const { http } = testHttp();
    const request = { statuses: [409, 401], retries: 1 };
    expect(await failureOf(http.json(`${server.origin}/a`, request))).toMatchObject({
      code: "source_unavailable",
      details: { status: 409, attempts: 2 },
    });
    await using other = await LocalServer.start(respondWith({}, 401));
    expect(await failureOf(http.json(`${other.origin}/a`, request))).toMatchObject({
      code: "source_unauthorized",
    });
    expect(other.seen.length).toBe(1);
    expect(await failureOf(http.json(`${server.origin}/a`))).toMatchObject({ code: "source_refused" });
  });

  test("json() waits for Retry-After in seconds, and pauses the whole source", async () => {
    await using server = await LocalServer.start(
      respondWith({}, 429, { "retry-after": "7" }),
      respondWith({ n: 1 }),
    );
    const { http, sleeps } = testHttp();
    await http.json(`${server.origin}/a`);
    expect(sleeps).toEqual([7250]);
  });

  test("json() waits for Retry-After as a date", async () => {
    const at = new Date(Date.UTC(2026, 0, 1, 0, 0, 42)).toUTCString();
    await using server = await LocalServer.start(
      respondWith({}, 503, { "retry-after": at }),
      respondWith({ n: 1 }),
    );
    const { http, sleeps } = testHttp();
    await http.json(`${server.origin}/a`);
    expect(sleeps).toEqual([42_250]);
  });

  test("json() fails immediately if Retry-After exceeds the timeout of the call", async () => {
    await using server = await LocalServer.start(respondWith({}, 429, { "retry-after": "3600" }));
    const { http, sleeps } = testHttp();
    const error = await failureOf(http.json(`${server.origin}/a`));
    expect(error).toMatchObject({
      code: "source_unavailable",
      retry: "transient",
      details: { status: 429, retryAfterMs: 3_600_000 },
    });
    expect(sleeps).toEqual([]);
  });

  test("json() fails after the retries with the status and the number of attempts", async () => {
    await using server = await LocalServer.start(respondWith({ message: "on holiday" }, 503));
    const { http } = testHttp();
    const error = await failureOf(http.json(`${server.origin}/a?key=abc`, { retries: 2 }));
    expect(error).toMatchObject({ code: "source_unavailable", details: { status: 503, attempts: 3 } });
    expect((error as AgnesError).message).toBe(
      `GET ${server.origin}/a?… responded with status 503: on holiday (3 attempts)`,
    );
    expect(server.seen.length).toBe(3);
  });

  test("json() retries if the connection drops before or during the response", async () => {
    await using server = await LocalServer.start(
      hangUp,
      (_seen, response) => {
        response.writeHead(200, { "content-length": "100" });
        response.write('{"n":');
        setTimeout(() => response.destroy(), 20);
      },
      respondWith({ n: 1 }),
    );
    const { http } = testHttp();
    expect(await http.json<{ n: number }>(`${server.origin}/a`)).toEqual({ n: 1 });
    expect(server.seen.length).toBe(3);
  });

  test("json() does not repeat a POST with an unknown outcome, unless it is idempotent", async () => {
    await using server = await LocalServer.start(
      hangUp,
      respondWith({}, 500),
      respondWith({}, 429),
      respondWith({ n: 1 }),
    );
    const { http } = testHttp();
    const url = `${server.origin}/a`;
    expect(await failureOf(http.json(url, { json: {} }))).toMatchObject({ code: "source_unavailable" });
    expect(server.seen.length).toBe(1);
    expect(await http.json<{ n: number }>(url, { json: {}, idempotent: true })).toEqual({ n: 1 });
    expect(server.seen.length).toBe(4);
  });

  test("json() repeats a POST that the source did not process", async () => {
    await using server = await LocalServer.start(
      respondWith({}, 429),
      respondWith({}, 503),
      respondWith({ n: 1 }),
    );
    const { http } = testHttp();
    await http.json(`${server.origin}/a`, { json: {} });
    expect(server.seen.length).toBe(3);
  });

  test("json() retries if the source stalls, before or during the response", async () => {
    await using server = await LocalServer.start(
      () => {},
      (_seen, response) => void response.writeHead(200).write("{"),
      respondWith({ n: 1 }),
    );
    const { http, log } = testHttp();
    expect(await http.json<{ n: number }>(`${server.origin}/a`, { attemptTimeoutMs: 60 })).toEqual({ n: 1 });
    expect(log.filter((entry) => entry.message.includes("received no data for 60 ms")).length).toBe(2);
  });

  test("json() fails with timed_out if the whole call takes too long", async () => {
    await using server = await LocalServer.start(() => {});
    const { http } = testHttp();
    const error = await failureOf(http.json(`${server.origin}/a`, { timeoutMs: 50 }));
    expect(error).toMatchObject({ code: "timed_out", retry: "transient" });
  });

  test("json() fails with aborted if the signal aborts in a request, in a wait or before", async () => {
    await using server = await LocalServer.start(() => {});
    const { http } = testHttp();
    const controller = new AbortController();
    const asked = failureOf(http.json(`${server.origin}/a`, { signal: controller.signal }));
    setTimeout(() => controller.abort(), 30);
    expect(await asked).toMatchObject({ code: "aborted" });
    expect(await failureOf(http.json(`${server.origin}/a`, { signal: controller.signal }))).toMatchObject({
      code: "aborted",
    });
    expect(server.seen.length).toBe(1);
  });

  test("json() fails as transient if no server is listening", async () => {
    const { http } = testHttp();
    const error = await failureOf(http.json("http://127.0.0.1:1/a", { retries: 1 }));
    expect(error).toMatchObject({ code: "source_unavailable", details: { attempts: 2 } });
  });

  test("the bearer function is called again once if its token is rejected", async () => {
    await using server = await LocalServer.start(
      respondWith({}, 401),
      respondWith({ n: 1 }),
      respondWith({}, 401),
    );
    const { http } = testHttp();
    const asked: boolean[] = [];
    const api = http.with({
      baseUrl: server.origin,
      bearer: async ({ rejected }) => {
        asked.push(rejected);
        return new Secret("token", rejected ? "new-token" : "old-token");
      },
    });
    expect(await api.json<{ n: number }>("a")).toEqual({ n: 1 });
    expect(asked).toEqual([false, true]);
    expect(server.seen.map((seen) => seen.headers["authorization"])).toEqual([
      "Bearer old-token",
      "Bearer new-token",
    ]);
    expect(await failureOf(api.json("a"))).toMatchObject({ code: "source_unauthorized" });
    expect(asked).toEqual([false, true, false, true]);
  });
});

test("the bearer function may send requests to the source, even with a concurrency of one", async () => {
  await using server = await LocalServer.start(
    respondWith({ token: "from-the-source" }),
    respondWith({ n: 1 }),
  );
  const { http } = testHttp();
  const base = http.with({ baseUrl: server.origin, concurrency: 1 });
  const bearer = async () => new Secret("token", (await base.json<{ token: string }>("token")).token);
  expect(await base.with({ bearer }).json<{ n: number }>("a")).toEqual({ n: 1 });
  expect(server.seen[1]!.headers["authorization"]).toBe("Bearer from-the-source");
});

describe("RateLimit", () => {
  test("with() limits the request rate across all clients of the source", async () => {
    await using server = await LocalServer.start(respondWith({}));
    const { http, sleeps } = testHttp();
    const one = http.with({ baseUrl: server.origin, requestsPerSecond: 4 });
    const other = http.with({ baseUrl: server.origin });
    await one.json("a");
    await other.json("b");
    await one.json("c");
    expect(sleeps).toEqual([250, 250]);
  });

  test("Retry-After of one request pauses the others of the source", async () => {
    await using server = await LocalServer.start(
      respondWith({}, 429, { "retry-after": "60" }),
      respondWith({}),
    );
    const { http, sleeps } = testHttp();
    const error = await failureOf(http.json(`${server.origin}/a`, { retries: 0 }));
    expect(error).toMatchObject({ code: "source_unavailable" });
    expect(await failureOf(http.json(`${server.origin}/b`, { timeoutMs: 30_000 }))).toMatchObject({
      code: "source_unavailable",
      message: "the source rejects requests for another 60 s (Retry-After)",
    });
    await http.json(`${server.origin}/b`);
    expect(sleeps).toEqual([60_000]);
    expect(server.seen.length).toBe(2);
  });

  test("with() runs as many concurrent requests as allowed, and no more", async () => {
    let running = 0;
    let most = 0;
    await using server = await LocalServer.start((_seen, response) => {
      running += 1;
      most = Math.max(most, running);
      setTimeout(() => {
        running -= 1;
        response.end("{}");
      }, 15);
    });
    const { http } = testHttp();
    const api = http.with({ baseUrl: server.origin, concurrency: 3 });
    await Promise.all(Array.from({ length: 10 }, (_, n) => api.json(`${n}`)));
    expect(most).toBe(3);
    expect(server.seen.length).toBe(10);
  });

  test("with() frees the slot of an aborted waiting request", async () => {
    const held: (() => void)[] = [];
    await using server = await LocalServer.start(
      (_seen, response) => void held.push(() => response.end("{}")),
    );
    const { http } = testHttp();
    const api = http.with({ baseUrl: server.origin, concurrency: 1 });
    const first = api.json("1");
    const controller = new AbortController();
    const second = failureOf(api.json("2", { signal: controller.signal }));
    const third = api.json("3");
    await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort();
    expect(await failureOf(api.json("4", { signal: controller.signal }))).toMatchObject({ code: "aborted" });
    expect(await second).toMatchObject({ code: "aborted" });
    while (held.length < 1) await new Promise((resolve) => setTimeout(resolve, 2));
    held.shift()!();
    await first;
    while (held.length < 1) await new Promise((resolve) => setTimeout(resolve, 2));
    held.shift()!();
    await third;
    expect(server.seen.map((seen) => seen.path)).toEqual(["/1", "/3"]);
  });
});
