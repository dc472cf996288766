import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { fakeServer } from "agnes/testing";

import { CRM_TOKEN, crmData, fakeCrm } from "../fakes/crm.ts";
import { failuresOf } from "./failures.ts";
import { faultyConnectors } from "./plugins/faulty-crm.ts";

// Opens many databases, which is slow on a busy machine.
setDefaultTimeout(60_000);

// tests/full checks that no other case fails, and that a correct connector passes all cases.
describe("connectorContract() detects by server faults:", () => {
  for (const { title, plugin, caught } of faultyConnectors) {
    test(title, async () => {
      const config = { secrets: { CRM_TOKEN }, server: fakeCrm(crmData(120, 1)) };
      expect(await failuresOf(plugin, config, caught)).toEqual([...caught]);
    });
  }
});

describe("fakeServer()", () => {
  test("fakeServer() injects faults into the selected requests", async () => {
    const server = fakeServer({ "GET /": () => Response.json({ ok: true }) });
    server.inject(
      [{ kind: "status", status: 429, retryAfter: "3" }, { kind: "reset" }, { kind: "cut body" }],
      1,
    );
    const request = () => server.fetch("https://example.com/");
    expect(await (await request()).json()).toEqual({ ok: true });
    const refused = await request();
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "3"]);
    expect(await request().catch((error: unknown) => error)).toMatchObject({ cause: { code: "ECONNRESET" } });
    expect(await (await request()).text().catch(() => "cut")).toBe("cut");
    expect(await (await request()).json()).toEqual({ ok: true });
    expect([server.pending, server.count, server.requests.length]).toEqual([0, 5, 3]);
  });

  test("fakeServer() repeats the previous response for a repeat fault", async () => {
    let count = 0;
    const server = fakeServer({ "GET /": () => Response.json((count += 1)) });
    server.inject([{ kind: "repeat" }], 1);
    const results = [
      await server.fetch("https://x/"),
      await server.fetch("https://x/"),
      await server.fetch("https://x/"),
    ];
    expect(await Promise.all(results.map((response) => response.json()))).toEqual([1, 1, 2]);
  });

  test("fakeServer() repeats a response of the same path only, with any query", async () => {
    const server = fakeServer({
      "GET /a": ({ url }) => new Response(`a${url.search}`),
      "GET /b": () => new Response("b"),
    });
    server.inject([{ kind: "repeat" }], 1);
    const texts = [];
    for (const path of ["a", "b", "a?page=2", "a?page=3"])
      texts.push(await (await server.fetch(`https://x/${path}`)).text());
    expect([texts, server.pending]).toEqual([["a", "b", "a", "a?page=3"], 0]);
  });

  test("fakeServer() returns bodies that can be cancelled unread, also before a repeat fault", async () => {
    const body = () => new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1)) });
    const server = fakeServer({ "GET /": () => new Response(body()), "GET /short": () => new Response("a") });
    await (await server.fetch("https://x/")).body!.cancel();
    server.inject([{ kind: "repeat" }], 1);
    await (await server.fetch("https://x/short")).body!.cancel();
    expect(await (await server.fetch("https://x/short")).text()).toBe("a");
  });

  test("fakeServer() stops an aborted request", async () => {
    const server = fakeServer({ "GET /": () => Response.json(1) });
    const result = server.fetch("https://x/", { signal: AbortSignal.abort() });
    expect(await result.catch((error: Error) => error.name)).toBe("AbortError");
  });
});
