import { describe, expect, test } from "bun:test";
import * as v from "valibot";

import { Secret, type AgnesError } from "../../lib/base/mod.ts";
import { failureOf, LocalServer, respondWith, testHttp } from "./local-server.ts";

describe("Http requests and answers", () => {
  test("json() sends query, headers, JSON and form unchanged", async () => {
    await using server = await LocalServer.start(respondWith({}));
    const { http } = testHttp();
    const api = http.with({
      baseUrl: `${server.origin}/v1`,
      query: { a: 1, b: "x" },
      headers: { "x-a": "1" },
    });
    await api.json("/list?c=3", { query: { b: "y z", tag: ["p", "q"], gone: undefined } });
    await api.json("list", { json: { n: 1 }, headers: { "X-A": "2" } });
    await api.json("list", { form: { user: "ü", password: new Secret("P", "p&q") } });
    await api.json("list", { method: "put", body: "raw" });
    const [first, second, third, fourth] = server.seen;
    expect(first!.path).toBe("/v1/list?c=3&a=1&b=y+z&tag=p&tag=q");
    expect([second!.method, second!.body, second!.headers["x-a"]]).toEqual(["POST", '{"n":1}', "2"]);
    expect(second!.headers["content-type"]).toBe("application/json");
    expect(third!.body).toBe("user=%C3%BC&password=p%26q");
    expect([fourth!.method, fourth!.body]).toEqual(["PUT", "raw"]);
  });

  test("json() fails with source_answer_invalid if the body is not JSON, empty or does not match the schema", async () => {
    await using server = await LocalServer.start(
      (_seen, response) => void response.end("<html>Sign in</html>"),
      (_seen, response) => void response.end(),
      respondWith({ n: "one" }),
    );
    const { http } = testHttp();
    const url = `${server.origin}/a`;
    const messages = [
      await failureOf(http.json(url)),
      await failureOf(http.json(url)),
      await failureOf(http.json(url, { schema: v.object({ n: v.number() }) })),
    ].map((error) => (error as AgnesError).message);
    expect(messages).toEqual([
      `the response to GET ${url} is not JSON: "<html>Sign in</html>"`,
      `the response to GET ${url} is empty, expected JSON`,
      `the response to GET ${url} does not match the schema: n should be number`,
    ]);
  });

  test("json() returns the body as parsed by the schema", async () => {
    await using server = await LocalServer.start(respondWith({ n: "1", more: true }));
    const { http } = testHttp();
    const schema = v.object({ n: v.pipe(v.string(), v.transform(Number)) });
    const body: { n: number } = await http.json(`${server.origin}/a`, { schema });
    expect(body).toEqual({ n: 1 });
  });

  test("json() fails permanently for other statuses, with the source's message in any common format", async () => {
    const bodies = [
      { error: { message: "gone for good" } },
      { errorMessages: ["no such project"] },
      { errors: [{ detail: "bad field" }] },
      "plain",
    ];
    await using server = await LocalServer.start(...bodies.map((body) => respondWith(body, 404)));
    const { http } = testHttp();
    for (const message of ["gone for good", "no such project", "bad field", "plain"]) {
      const error = (await failureOf(http.json(`${server.origin}/a`))) as AgnesError;
      expect(error).toMatchObject({ code: "source_refused", retry: "permanent", details: { status: 404 } });
      expect(error.message).toEndWith(`responded with status 404: ${message}`);
    }
    expect(server.seen.length).toBe(4);
  });

  test("request() returns a response with an accepted status", async () => {
    await using server = await LocalServer.start(respondWith({ gone: true }, 404));
    const { http } = testHttp();
    const found = await http.request(`${server.origin}/a`, { accept: [404] });
    expect(found.status).toBe(404);
    expect(await found.json<{ gone: boolean }>()).toEqual({ gone: true });
  });

  test("request() streams the body, and stops the source when the reader stops", async () => {
    let closed = false;
    await using server = await LocalServer.start((_seen, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write("x".repeat(1000)), 2);
      response.on("close", () => {
        closed = true;
        clearInterval(timer);
      });
    });
    const { http } = testHttp();
    const found = await http.request(`${server.origin}/a`);
    let sizeBytes = 0;
    for await (const piece of found.body) {
      sizeBytes += piece.byteLength;
      if (sizeBytes > 3000) break;
    }
    for (let i = 0; i < 100 && !closed; i += 1) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(closed).toBe(true);
  });

  test("request() fails the body as transient if the source stalls or the signal aborts", async () => {
    await using server = await LocalServer.start(
      (_seen, response) => void response.writeHead(200).write("x"),
    );
    const { http } = testHttp();
    const silent = await http.request(`${server.origin}/a`, { attemptTimeoutMs: 40, timeoutMs: 5000 });
    expect(await failureOf(silent.text())).toMatchObject({ code: "source_unavailable", retry: "transient" });
    const controller = new AbortController();
    const stopped = await http.request(`${server.origin}/a`, { signal: controller.signal });
    setTimeout(() => controller.abort(), 20);
    expect(await failureOf(stopped.text())).toMatchObject({ code: "aborted" });
  });

  test("request() does not time out for a slow reader", async () => {
    await using server = await LocalServer.start((_seen, response) => {
      response.writeHead(200);
      for (let i = 0; i < 4; i += 1) response.write("x".repeat(70_000));
      response.end();
    });
    const { http } = testHttp();
    const found = await http.request(`${server.origin}/a`, { attemptTimeoutMs: 250, timeoutMs: 300 });
    let sizeBytes = 0;
    for await (const piece of found.body) {
      sizeBytes += piece.byteLength;
      await new Promise((resolve) => setTimeout(resolve, 350));
    }
    expect(sizeBytes).toBe(280_000);
  });

  test("bytes() rejects a body that is larger than allowed", async () => {
    await using server = await LocalServer.start((_seen, response) => void response.end("x".repeat(2000)));
    const { http } = testHttp();
    const error = await failureOf(http.bytes(`${server.origin}/a`, { maxBytes: 1000 }));
    expect(error).toMatchObject({ code: "source_answer_invalid" });
    expect((await http.bytes(`${server.origin}/a`, { maxBytes: 2000 })).byteLength).toBe(2000);
  });

  test("json() rejects a relative URL without a base URL", async () => {
    const { http } = testHttp();
    expect(await failureOf(http.json("/a"))).toMatchObject({
      code: "source_refused",
      message: "/a is not an absolute URL, and no base URL is set",
    });
  });
});
