import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { definePlugin, type Http } from "agnes/kit";
import { connectorContract, fakeServer, runCases } from "agnes/testing";

import { CRM_TOKEN, crmData, fakeCrm } from "../fakes/crm.ts";
import crm from "./plugins/crm.ts";

// Many databases are opened here; a busy machine takes its time.
setDefaultTimeout(60_000);

type Answer = {
  readonly results: readonly { readonly id: number }[];
  readonly paging: { readonly next: string | null };
};

/** The CRM plugin with another way to read contacts. */
function crmThat(contacts: (http: Http, signal: AbortSignal) => AsyncGenerator<Answer["results"], void>) {
  return definePlugin({
    ...crm,
    connect(context) {
      const good = crm.connect(context);
      if (good instanceof Promise) throw new Error("the CRM connects at once");
      const http = context.http.with({ baseUrl: context.options.url, bearer: context.secrets.CRM_TOKEN });
      return {
        ...good,
        async *discover(options) {
          const found = await good.discover(options);
          if (Symbol.asyncIterator in found) throw new Error("the CRM lists its tables at once");
          const { cursor: _, ...contactsOnly } = found[0]!;
          yield contactsOnly;
        },
        async *read({ name }, { signal }) {
          if (name !== "contacts") throw new Error(`the CRM has no table ${name}`);
          yield* contacts(http, signal);
        },
      };
    },
  });
}

async function failuresOf(plugin: typeof crm): Promise<readonly string[]> {
  const cases = connectorContract(plugin, { secrets: { CRM_TOKEN }, server: fakeCrm(crmData(120, 1)) });
  const results = await runCases(cases);
  return results.filter((result) => !result.ok).map((result) => result.name);
}

describe("connectorContract() catches by the faults of a server:", () => {
  test("nothing, when the connector follows the pages as the kit does", async () => {
    expect(
      await failuresOf(
        crmThat(async function* (http, signal) {
          const paging = { kind: "cursor", parameter: "cursor", cursor: "paging.next" } as const;
          for await (const page of http.pages<Answer>("/v1/contacts", { paging, signal })) yield page.results;
        }),
      ),
    ).toEqual([]);
  });

  test("a connector that does not try again", async () => {
    expect(
      await failuresOf(
        crmThat(async function* (http, signal) {
          const paging = { kind: "cursor", parameter: "cursor", cursor: "paging.next" } as const;
          const request = { paging, signal, retries: 0 };
          for await (const page of http.pages<Answer>("/v1/contacts", request)) yield page.results;
        }),
      ),
    ).toEqual([
      "an extract survives an answer 429",
      "an extract survives an answer 500",
      "an extract survives a lost connection",
      "an extract survives a body that is cut short",
    ]);
  });

  test("a connector that takes a short page for the last", async () => {
    expect(
      await failuresOf(
        crmThat(async function* (http, signal) {
          const query = (cursor: string | undefined) => ({ query: { cursor, limit: 50 }, signal });
          let page = await http.json<Answer>("/v1/contacts", query(undefined));
          const seen = new Set<string>();
          for (;;) {
            yield page.results;
            const { next } = page.paging;
            if (next === null || page.results.length < 50) return;
            if (seen.has(next)) throw new Error("the pages go in a circle");
            seen.add(next);
            page = await http.json<Answer>("/v1/contacts", query(next));
          }
        }),
      ),
    ).toEqual(["an extract survives a short page"]);
  });

  test("a connector that does not notice that a page came twice", async () => {
    expect(
      await failuresOf(
        crmThat(async function* (http, signal) {
          for (let cursor: string | null | undefined; cursor !== null;) {
            const page: Answer = await http.json<Answer>("/v1/contacts", { query: { cursor }, signal });
            yield page.results;
            cursor = page.paging.next;
          }
        }),
      ),
    ).toEqual(["an extract survives a page that comes twice"]);
  });
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
