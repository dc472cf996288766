import { describe, expect, test } from "bun:test";

import { Secret, type AgnesError } from "../../lib/base/mod.ts";
import { redirected } from "../../lib/kit/http/redirect.ts";
import { respondWith, failureOf, LocalServer, redirect, testHttp } from "./local-server.ts";

const token = new Secret("CRM_TOKEN", "s3cret-value");

describe("Http sends credentials only to their origin", () => {
  test("json() sends no credentials after a redirect to another origin", async () => {
    await using other = await LocalServer.start(respondWith({ n: 1 }));
    await using server = await LocalServer.start(redirect(`${other.origin}/away?sig=abc`));
    const { http } = testHttp();
    const api = http.with({
      baseUrl: server.origin,
      bearer: token,
      headers: {
        "X-StorageApi-Token": "abc",
        "x-plain": "kept",
        cookie: "c=1",
        "x-odd": new Secret("ODD", "odd"),
      },
      credentialHeaders: ["X-Named"],
    });
    await api.json("/a", { headers: { "x-named": "named", "x-also-plain": "kept" } });
    const home = server.seen[0]!.headers;
    expect([home["authorization"], home["x-storageapi-token"], home["x-odd"], home["x-named"]]).toEqual([
      "Bearer s3cret-value",
      "abc",
      "odd",
      "named",
    ]);
    const away = other.seen[0]!.headers;
    for (const name of ["authorization", "x-storageapi-token", "cookie", "x-odd", "x-named"]) {
      expect(away[name]).toBeUndefined();
    }
    expect([away["x-plain"], away["x-also-plain"]]).toEqual(["kept", "kept"]);
  });

  test("json() sends credentials after a redirect within the origin", async () => {
    await using server = await LocalServer.start(redirect("/b", 307), respondWith({ n: 1 }));
    const { http } = testHttp();
    await http.with({ baseUrl: server.origin, bearer: token }).json("/a");
    expect(server.seen[1]!.headers["authorization"]).toBe("Bearer s3cret-value");
  });

  test("json() sends credentials and query of the defaults to no other origin of an absolute URL", async () => {
    await using other = await LocalServer.start(respondWith({ n: 1 }));
    const { http } = testHttp();
    const api = http.with({
      baseUrl: "https://api.example.com",
      basic: { user: "me", password: token },
      query: { api_key: token },
    });
    await api.json(`${other.origin}/a`, { headers: { authorization: new Secret("OWN", "own-token") } });
    expect(other.seen[0]!.path).toBe("/a");
    expect(other.seen[0]!.headers["authorization"]).toBe("own-token");
  });

  test("json() stays on the base URL's host if a path begins with two slashes", async () => {
    await using server = await LocalServer.start(respondWith({}));
    const { http } = testHttp();
    await http.with({ baseUrl: `${server.origin}/v1/`, bearer: token }).json("//evil.example/a");
    expect(server.seen[0]!.path).toBe("/v1/evil.example/a");
  });

  test("json() rejects a redirect that sends a body to another origin, never ends or leaves http", async () => {
    await using other = await LocalServer.start(respondWith({}));
    await using server = await LocalServer.start(
      redirect(`${other.origin}/a`, 307),
      redirect("ftp://example.com/a"),
      redirect("/again"),
    );
    const { http } = testHttp();
    const url = `${server.origin}/a`;
    const refusal = { code: "source_refused", retry: "permanent" };
    const failure = await failureOf(http.json(url, { json: { password: "x" } }));
    expect(failure).toMatchObject(refusal);
    expect(other.seen.length).toBe(0);
    expect(await failureOf(http.json(url))).toMatchObject(refusal);
    expect(await failureOf(http.json(url))).toMatchObject({
      ...refusal,
      message: expect.stringContaining("more than 5 times") as string,
    });
    expect(server.seen.length).toBe(8);
  });

  test("json() and download() follow no redirect if the client does not", async () => {
    await using server = await LocalServer.start(redirect("/b"));
    const { http } = testHttp();
    const own = http.with({ followRedirects: false }).with({});
    const refusal = {
      code: "source_refused",
      message: expect.stringContaining("redirects, which is not allowed") as string,
    };
    expect(await failureOf(own.json(`${server.origin}/a`))).toMatchObject(refusal);
    const download = async () => {
      for await (const _ of own.download([`${server.origin}/a`], { format: "csv" }));
    };
    expect(await failureOf(download())).toMatchObject(refusal);
    expect(server.seen.map(({ path }) => path)).toEqual(["/a", "/a"]);
  });

  test("redirected() rejects leaving https, and returns null for other responses", () => {
    const from = { url: new URL("https://example.com/a"), method: "GET", body: undefined };
    const context = { hops: 0, hopsMax: 5, secrets: [] };
    const to = (location: string, status = 302) => new Response(null, { status, headers: { location } });
    expect(() => redirected(to("http://example.com/b"), from, context)).toThrow(
      "redirects from https to http",
    );
    expect(() => redirected(to("https://"), from, context)).toThrow("redirects to an invalid URL");
    expect(redirected(to("b?c"), from, context)?.url.href).toBe("https://example.com/b?c");
    expect(redirected(to("/b", 304), from, context)).toBeNull();
    expect(redirected(new Response(null, { status: 302 }), from, context)).toBeNull();
  });

  test("json() sends GET without a body after 303, and after 302 to a POST", async () => {
    await using server = await LocalServer.start(
      redirect("/b", 303),
      respondWith({}),
      redirect("/b", 302),
      respondWith({}),
    );
    const { http } = testHttp();
    await http.json(`${server.origin}/a`, { json: { n: 1 } });
    await http.json(`${server.origin}/a`, { json: { n: 1 } });
    expect(server.seen.map((seen) => [seen.method, seen.body])).toEqual([
      ["POST", '{"n":1}'],
      ["GET", ""],
      ["POST", '{"n":1}'],
      ["GET", ""],
    ]);
  });

  test("json() sends requests only to allowed hosts, also in redirects", async () => {
    await using server = await LocalServer.start(redirect("http://localhost:1/a"));
    const { http } = testHttp();
    const api = http.with({ baseUrl: server.origin, hosts: ["127.0.0.1", "*.example.com"] });
    expect(await failureOf(api.json("/a"))).toMatchObject({
      code: "source_refused",
      message: expect.stringContaining("only these hosts are allowed") as string,
    });
    expect(await failureOf(api.json("https://example.com.evil.net/a"))).toMatchObject({
      code: "source_refused",
    });
    expect(server.seen.length).toBe(1);
  });

  test("json() rejects a URL with a user or password, and shows neither", async () => {
    const { http } = testHttp();
    const error = (await failureOf(http.json("https://me:pass-word@example.com/a"))) as AgnesError;
    expect(error.code).toBe("source_refused");
    expect(error.message).not.toContain("pass-word");
  });

  test("no message, detail or log entry contains a secret, wherever the source repeats it", async () => {
    await using server = await LocalServer.start(
      respondWith({ error: { message: `bad token s3cret-value` } }, 403),
      respondWith({ message: "again s3cret-value" }, 503),
      (_seen, response) => void response.end("<html>s3cret-value"),
    );
    const { http, log } = testHttp();
    const api = http.with({ baseUrl: server.origin, headers: { "x-token": token }, retries: 1 });
    const failures = [
      await failureOf(api.json("/s3cret-value?sig=s3cret-value")),
      await failureOf(api.json("/b", { query: { key: token } })),
    ];
    expect(failures.map((error) => (error as AgnesError).code)).toEqual([
      "source_unauthorized",
      "source_answer_invalid",
    ]);
    const output =
      failures.map((error) => `${String(error)} ${JSON.stringify(error)}`).join() + JSON.stringify(log);
    expect(output).not.toContain("s3cret");
    expect(output).toContain("bad token [redacted]");
    expect(log.length).toBeGreaterThan(3);
  });
});
