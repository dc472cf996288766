import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { fakeServer } from "agnes/testing";

import { CRM_TOKEN, crmData, fakeCrm } from "../fakes/crm.ts";
import { failuresOf } from "./failures.ts";
import { faultyConnectors } from "./plugins/faulty-crm.ts";

// Many databases are opened here; a busy machine takes its time.
setDefaultTimeout(60_000);

// That no other case fails, and none of a sound connector, is checked in tests/full: it takes all cases.
describe("connectorContract() catches by the faults of a server:", () => {
  for (const { words, plugin, caught } of faultyConnectors) {
    test(words, async () => {
      const config = { secrets: { CRM_TOKEN }, server: fakeCrm(crmData(120, 1)) };
      expect(await failuresOf(plugin, config, caught)).toEqual([...caught]);
    });
  }
});

describe("fakeServer()", () => {
  test("fakeServer() lets faults meet the requests that were chosen", async () => {
    const server = fakeServer({ "GET /": () => Response.json({ ok: true }) });
    server.inject(
      [{ kind: "status", status: 429, retryAfter: "3" }, { kind: "reset" }, { kind: "cut body" }],
      1,
    );
    const ask = () => server.fetch("https://example.com/");
    expect(await (await ask()).json()).toEqual({ ok: true });
    const refused = await ask();
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "3"]);
    expect(await ask().catch((error: unknown) => error)).toMatchObject({ cause: { code: "ECONNRESET" } });
    expect(await (await ask()).text().catch(() => "cut")).toBe("cut");
    expect(await (await ask()).json()).toEqual({ ok: true });
    expect([server.pending, server.count, server.requests.length]).toEqual([0, 5, 3]);
  });

  test("fakeServer() answers a request as the one before when told to repeat", async () => {
    let count = 0;
    const server = fakeServer({ "GET /": () => Response.json((count += 1)) });
    server.inject([{ kind: "repeat" }], 1);
    const answers = [
      await server.fetch("https://x/"),
      await server.fetch("https://x/"),
      await server.fetch("https://x/"),
    ];
    expect(await Promise.all(answers.map((answer) => answer.json()))).toEqual([1, 1, 2]);
  });

  test("fakeServer() stops a request that is aborted", async () => {
    const server = fakeServer({ "GET /": () => Response.json(1) });
    const answer = server.fetch("https://x/", { signal: AbortSignal.abort() });
    expect(await answer.catch((error: Error) => error.name)).toBe("AbortError");
  });
});
