import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";

import { served, type Served } from "../harness.ts";

const FORMATS = ["json", "arrow", "ndjson", "csv", "parquet"] as const;

describe.each(["none", "process"] as const)("over a socket, with the isolation %s", (isolation) => {
  let shop: Served;
  let token: string;
  let server: ReturnType<typeof Bun.serve>;
  beforeAll(async () => {
    shop = await served({
      isolation,
      ...(isolation === "process" && { workers: { count: 3 } }),
    });
    token = await shop.token();
    server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      idleTimeout: 60,
      development: false,
      fetch: (request) => shop.agnes.fetch(request),
    });
  });
  afterAll(async () => {
    await server.stop(true);
    await shop[Symbol.asyncDispose]();
  });

  const headers = () => ({ authorization: `Bearer ${token}`, "content-type": "application/json" });

  function post(json: unknown, query = "", init: RequestInit = {}): Promise<Response> {
    return fetch(`http://127.0.0.1:${server.port}/api/query${query}`, {
      method: "POST",
      body: JSON.stringify(json),
      ...init,
      headers: { ...headers(), ...(init.headers as Record<string, string> | undefined) },
    });
  }

  async function stateOf(id: string): Promise<Record<string, unknown>> {
    const url = `http://127.0.0.1:${server.port}/api/queries/${id}`;
    return (await (await fetch(url, { headers: headers() })).json()) as Record<string, unknown>;
  }

  async function ended(id: string): Promise<Record<string, unknown>> {
    for (;;) {
      const state = await stateOf(id);
      if (state["state"] !== undefined && state["state"] !== "running") return state;
      await Bun.sleep(10);
    }
  }

  const FAILS_LATE = {
    sql: "SELECT CASE WHEN range = 999999 THEN error('boom') ELSE range::VARCHAR END AS n FROM range(1000000)",
    limit: 1_000_000,
  };

  test.each(FORMATS)("a failure in the last rows fails fetch and curl in %s", async (format) => {
    const id = `late-${format}-fetch`;
    const response = await post(FAILS_LATE, `?format=${format}`, { headers: { "x-agnes-query-id": id } });
    const outcome = await response.arrayBuffer().then(
      () => "whole",
      () => "broken",
    );
    // Parquet is complete before its first bytes are sent.
    expect([response.status, outcome]).toEqual(format === "parquet" ? [400, "whole"] : [200, "broken"]);
    expect((await ended(id))["error"]).toMatchObject({ code: "sql_failed" });
    const curl = Bun.spawn(
      [
        "curl",
        "-sS",
        "--fail",
        "-o",
        "-",
        ...Object.entries(headers()).flatMap(([name, value]) => ["-H", `${name}: ${value}`]),
        "--data",
        JSON.stringify(FAILS_LATE),
        `http://127.0.0.1:${server.port}/api/query?format=${format}`,
      ],
      { stdout: "ignore", stderr: "ignore" },
    );
    expect(await curl.exited).not.toBe(0);
  });

  test.each(FORMATS)("a failure in the first rows has its status in %s", async (format) => {
    const response = await post(
      { sql: "SELECT CASE WHEN range = 9 THEN error('boom') ELSE range END AS n FROM range(10)" },
      `?format=${format}`,
    );
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: "sql_failed" } });
  });

  test("a client that goes away cancels its query, before and after the first bytes", async () => {
    const slow = "SELECT sum(a.range * b.range) AS n FROM range(10000000) a, range(10000000) b";
    const endless = "SELECT range AS n FROM range(10000000)";
    for (const [id, sql] of [
      ["gone-early", slow],
      ["gone-later", endless],
    ] as const) {
      const controller = new AbortController();
      const options = { headers: { "x-agnes-query-id": id }, signal: controller.signal };
      const asking = post({ sql }, "?format=ndjson", options);
      if (id === "gone-later") await (await asking).body!.getReader().read();
      else while ((await stateOf(id))["state"] !== "running") await Bun.sleep(5);
      controller.abort();
      await asking.catch(() => {});
      expect((await ended(id))["state"]).toBe("cancelled");
    }
  });

  test("a client that goes away after a body in chunks cancels its query", async () => {
    const sql = "SELECT sum(a.range * b.range) AS n FROM range(10000000) a, range(10000000) b";
    const body = JSON.stringify({ sql });
    const socket = connect(server.port!, "127.0.0.1");
    socket.on("error", () => {});
    const lines = [
      "POST /api/query HTTP/1.1",
      "Host: 127.0.0.1",
      ...Object.entries(headers()).map(([name, value]) => `${name}: ${value}`),
      "X-Agnes-Query-Id: gone-chunked",
      "Transfer-Encoding: chunked",
    ];
    socket.write(`${lines.join("\r\n")}\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`);
    while ((await stateOf("gone-chunked"))["state"] !== "running") await Bun.sleep(5);
    socket.destroy();
    expect((await ended("gone-chunked"))["state"]).toBe("cancelled");
  });

  test("a slow reader takes little memory, and can be cancelled", async () => {
    const sql = "SELECT repeat('x', 1000) AS t FROM range(500000)";
    Bun.gc(true);
    const before = process.memoryUsage.rss();
    const headersOfQuery = { "x-agnes-query-id": "slow-reader" };
    const response = await post({ sql }, "?format=csv", { headers: headersOfQuery });
    const reader = response.body!.getReader();
    await reader.read();
    await Bun.sleep(1500);
    const { state, progress } = (await stateOf("slow-reader")) as {
      readonly state: string;
      readonly progress: { readonly sent_bytes: number };
    };
    expect(state).toBe("running");
    expect(progress.sent_bytes).toBeLessThan(100_000_000);
    expect(process.memoryUsage.rss() - before).toBeLessThan(300_000_000);
    const url = `http://127.0.0.1:${server.port}/api/queries/slow-reader`;
    expect((await fetch(url, { method: "DELETE", headers: headers() })).status).toBe(204);
    expect((await stateOf("slow-reader"))["state"]).toBe("cancelled");
    const rest = (async () => {
      while (!(await reader.read()).done);
    })();
    expect(
      await rest.then(
        () => "whole",
        () => "broken",
      ),
    ).toBe("broken");
  });

  test("a fast reader gets all rows", async () => {
    const response = await post({ sql: "SELECT range AS n FROM range(1000000)" }, "?format=csv", {
      headers: { "x-agnes-query-id": "fast-reader" },
    });
    const text = await response.text();
    expect(text.length).toBe((await ended("fast-reader"))["progress"]!["sent_bytes" as never]);
    expect(text.endsWith("\n999999\n")).toBeTrue();
  });
});

test("a reader that takes nothing ends its query", async () => {
  await using shop = await served({ config: await configOf({ stalledMs: 200 }) });
  const token = await shop.token();
  const response = await shop.request("/api/query?format=csv", {
    token,
    json: { sql: "SELECT range AS n FROM range(1000000)" },
    headers: { "x-agnes-query-id": "stalled-reader" },
  });
  await Bun.sleep(600);
  const state = await shop.request("/api/queries/stalled-reader", { token });
  expect(await state.json()).toMatchObject({ state: "failed", error: { code: "rows_not_read" } });
  expect(
    await response.text().then(
      () => "whole",
      () => "broken",
    ),
  ).toBe("broken");
});

test("a result above the maximum size breaks the connection, and rows of JSON are cut off", async () => {
  await using shop = await served({ config: await configOf({ maxResultBytes: 200_000, logSql: true }) });
  const token = await shop.token();
  const ask = (rows: number, query: string) =>
    shop.request(`/api/query${query}`, {
      token,
      json: { sql: `SELECT range AS n FROM range(${rows})`, limit: rows },
    });
  const large = await ask(100_000, "?format=csv");
  expect(
    await large.text().then(
      () => "whole",
      () => "broken",
    ),
  ).toBe("broken");
  const json = (await (await ask(100_000, "")).json()) as {
    readonly truncated: boolean;
    readonly row_count: number;
  };
  expect([json.truncated, json.row_count < 50_000]).toEqual([true, true]);
  const log = await (await shop.request("/api/admin/queries", { token })).json();
  expect(log).toMatchObject({
    queries: [
      { outcome: "done" },
      { outcome: "failed", error_code: "result_too_large", sql: "SELECT range AS n FROM range(100000)" },
    ],
  });
});

async function configOf(server: object) {
  return { version: 1 as const, server };
}
