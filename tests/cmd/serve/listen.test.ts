import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";

import { listen, type Listening } from "../../../cmd/serve/listen.ts";
import { createLog, type LogEntry } from "../../../lib/base/mod.ts";
import { boardPlugin, delivery, KEY, signed } from "../../serve/webhooks/board.ts";
import { served, type Served } from "../../serve/harness.ts";

const ORIGIN = "https://app.example";
const ENDLESS = "SELECT sum(a.range * b.range) AS n FROM range(10000000) a, range(10000000) b";

let shop: Served;
let token: string;
let server: Listening;
const paths: string[] = [];
const entries: LogEntry[] = [];
const log = createLog((entry) => entries.push(entry));
const json = () => ({ authorization: `Bearer ${token}`, "content-type": "application/json" });

beforeAll(async () => {
  shop = await served({
    settings: {
      maxBodyBytes: 2048,
      maxWebhookBytes: 1024,
      corsOrigins: [ORIGIN],
      trustProxy: true,
    },
    plugins: [(await import("../../../plugins/files/plugin.ts")).default, boardPlugin().plugin],
    sources: { board: { plugin: "board" } },
    host: { env: { BOARD_KEY: KEY } },
  });
  token = await shop.token();
  server = start();
});
afterAll(async () => {
  await server.drain();
  await shop[Symbol.asyncDispose]();
});

function start(options: Partial<Parameters<typeof listen>[0]> = {}): Listening {
  return listen({
    host: "127.0.0.1",
    port: 0,
    maxBodyBytes: 2048,
    log,
    drainMs: 200,
    handle(request, info) {
      paths.push(new URL(request.url).pathname);
      return shop.agnes.fetch(request, info);
    },
    ...options,
  });
}

const urlOf = (path: string, { port } = server) => `http://127.0.0.1:${port}${path}`;

/** Sends bytes, and returns what the server sends until it closes the connection or a time has passed. */
function sendRaw(lines: readonly string[], body = ""): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(server.port, "127.0.0.1");
    let received = "";
    const timer = setTimeout(() => socket.destroy(), 1000);
    socket.on("data", (data) => (received += data.toString()));
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(received);
    });
    socket.write(`${lines.join("\r\n")}\r\n\r\n${body}`);
  });
}

test("a host name that is not known is an error with that reason", () => {
  expect(() => start({ host: "nohost.invalid" })).toThrow("the host name is not known");
});

describe("the end of the server", () => {
  test("a query that does not end is stopped after the grace time", async () => {
    const own = start();
    const headers = { ...json(), "x-agnes-query-id": "endless-query" };
    const init = { method: "POST", headers, body: JSON.stringify({ sql: ENDLESS }) };
    const outcome = fetch(urlOf("/api/query", own), init).then(
      () => "responded",
      () => "broken",
    );
    const state = async () =>
      ((await (await shop.request("/api/queries/endless-query", { token })).json()) as { state?: string })
        .state;
    while ((await state()) !== "running") await Bun.sleep(5);
    await own.drain();
    expect(await outcome).toBe("broken");
    while ((await state()) === "running") await Bun.sleep(5);
    expect(await state()).toBe("cancelled");
    expect(entries.map(({ message }) => message)).toContain(
      "requests were stopped because they did not end in time",
    );
  });
});

test("a connection without bytes is closed, unless its request is signed in and read", async () => {
  const addresses: unknown[] = [];
  const own = start({
    idleSeconds: 1,
    async handle(request, { address, onReady }) {
      addresses.push(address);
      if (request.url.endsWith("/ready")) onReady?.();
      await Bun.sleep(9000);
      return new Response("late");
    },
  });
  const outcomeOf = async (path: string) => {
    try {
      return await (await fetch(urlOf(path, own))).text();
    } catch {
      return "closed";
    }
  };
  expect(await Promise.all([outcomeOf("/ready"), outcomeOf("/waiting")])).toEqual(["late", "closed"]);
  expect(addresses).toEqual(["127.0.0.1", "127.0.0.1"]);
  await own.drain();
}, 60_000);

describe("failures", () => {
  test("of the handler are an error in our shape, without their message", async () => {
    const own = start({
      handle: (request) => {
        if (request.url.endsWith("/sync")) throw new Error("a secret");
        return Promise.reject(new Error("a secret"));
      },
    });
    for (const path of ["/sync", "/async"]) {
      const response = await fetch(urlOf(path, own));
      const text = await response.text();
      expect([response.status, JSON.parse(text)]).toMatchObject([500, { error: { code: "internal" } }]);
      expect(text).not.toContain("secret");
    }
    await own.drain();
  });
});

describe("bodies", () => {
  const chunked = (size: number) =>
    new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < size; at += 512) controller.enqueue(Buffer.alloc(512, 32));
        controller.close();
      },
    });

  test("above the limit are 413, with a length and in chunks", async () => {
    for (const body of [" ".repeat(4096), chunked(4096)]) {
      const response = await fetch(urlOf("/api/query"), { method: "POST", headers: json(), body });
      expect([response.status, await response.json()]).toMatchObject([
        413,
        { error: { code: "body_too_large", details: { maxBytes: 2048 } } },
      ]);
    }
  });

  test("in chunks below the limit are read", async () => {
    const body = JSON.stringify({ sql: "SELECT 1 AS one" });
    const head = ["POST /api/query HTTP/1.1", `Host: 127.0.0.1:${server.port}`, "Connection: close"];
    const headers = Object.entries(json()).map(([name, value]) => `${name}: ${value}`);
    const pieces = [body.slice(0, 7), body.slice(7)].map(
      (piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`,
    );
    const response = await sendRaw(
      [...head, ...headers, "Transfer-Encoding: chunked"],
      `${pieces.join("")}0\r\n\r\n`,
    );
    expect(response).toStartWith("HTTP/1.1 200 ");
    expect(response).toContain('"row_count":1');
  });

  test("of webhooks above their own limit are 413, others are on disk", async () => {
    const send = (text: string) => {
      const { headers, body } = signed(text);
      return fetch(urlOf("/webhooks/board"), { method: "POST", headers, body: body as string });
    };
    const large = await send(delivery(1).padEnd(1025));
    expect([large.status, await large.json()]).toMatchObject([413, { error: { code: "body_too_large" } }]);
    const stored = await send(delivery(2));
    expect([stored.status, await stored.json()]).toEqual([202, { accepted: 1 }]);
  });
});

describe("requests whose length is not clear", () => {
  const smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
  test.each([
    [["Content-Length: 0", `Content-Length: ${smuggled.length}`], smuggled, 400],
    [["Content-Length: 5", "Transfer-Encoding: chunked"], `0\r\n\r\n${smuggled}`, 400],
    [["Transfer-Encoding: chunked", "Content-Length: 5"], `0\r\n\r\n${smuggled}`, 400],
    [["Content-Length: 0, 5"], smuggled, 400],
    [["Content-Length: -1"], smuggled, 400],
    [["Content-Length: 0x5"], smuggled, 400],
    [["Content-Length : 5"], smuggled, 400],
    [["Transfer-Encoding: identity, chunked, x"], smuggled, 400],
    [["Transfer-Encoding: chunked"], `zz\r\n${smuggled}`, 400],
    [["Transfer-Encoding: chunked"], `-1\r\n${smuggled}`, 400],
  ])("%j is one error, and the next connection is served", async (lengths, body, status) => {
    const seen = paths.length;
    const head = ["POST /api/logout HTTP/1.1", `Host: 127.0.0.1:${server.port}`];
    const response = await sendRaw([...head, `Authorization: Bearer ${token}`, ...lengths], body);
    expect(
      response
        .split("HTTP/1.1 ")
        .slice(1)
        .map((part) => Number(part.slice(0, 3))),
    ).toEqual([status]);
    expect(paths.slice(seen)).not.toContain("/smuggled");
    expect((await fetch(urlOf("/api/health"))).status).toBe(200);
  });
});

describe("headers", () => {
  test("CORS: a preflight, and a request of an allowed page", async () => {
    const preflight = await fetch(urlOf("/api/query"), {
      method: "OPTIONS",
      headers: { origin: ORIGIN, "access-control-request-method": "POST" },
    });
    expect([preflight.status, preflight.headers.get("access-control-allow-origin")]).toEqual([204, ORIGIN]);
    expect(preflight.headers.get("access-control-allow-methods")).toContain("POST");
    const me = (origin: string) => fetch(urlOf("/api/me"), { headers: { ...json(), origin } });
    const allowed = await me(ORIGIN);
    expect([allowed.status, allowed.headers.get("access-control-allow-origin")]).toEqual([200, ORIGIN]);
    expect(allowed.headers.get("access-control-expose-headers")).toContain("x-agnes-query-id");
    const other = await me("https://evil.example");
    expect([other.status, other.headers.get("access-control-allow-origin")]).toEqual([403, null]);
  });

  test("trustProxy: failed sign-ins are limited by the address that the proxy appended", async () => {
    const fail = async (forwarded: string) => {
      const headers = { authorization: "Bearer x", "x-forwarded-for": forwarded };
      return (await fetch(urlOf("/api/me"), { headers })).status;
    };
    for (let at = 0; at < 10; at++) expect(await fail(`203.0.113.${at}, 192.0.2.1`)).toBe(401);
    expect(await fail("203.0.113.99, 192.0.2.1")).toBe(429);
    expect(await fail("192.0.2.1, 192.0.2.2")).toBe(401);
  });
});
