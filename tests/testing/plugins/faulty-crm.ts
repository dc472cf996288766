import { definePlugin, type Http } from "agnes/kit";

import crm from "./crm.ts";

type Answer = {
  readonly results: readonly { readonly id: number }[];
  readonly paging: { readonly next: string | null };
};

/** The CRM plugin with a different read of contacts. */
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

/** Follows the pages like the kit. */
export const soundConnector: typeof crm = crmThat(async function* (http, signal) {
  const paging = { kind: "cursor", parameter: "cursor", cursor: "paging.next" } as const;
  for await (const page of http.pages<Answer>("/v1/contacts", { paging, signal })) yield page.results;
});

/** Faulty implementations of paging, and the cases that must detect them. */
export const faultyConnectors: readonly {
  readonly title: string;
  readonly plugin: typeof crm;
  readonly caught: readonly string[];
}[] = [
  {
    title: "a connector without retries",
    plugin: crmThat(async function* (http, signal) {
      const paging = { kind: "cursor", parameter: "cursor", cursor: "paging.next" } as const;
      const request = { paging, signal, retries: 0 };
      for await (const page of http.pages<Answer>("/v1/contacts", request)) yield page.results;
    }),
    caught: [
      "an extract survives a response 429",
      "an extract survives a response 500",
      "an extract survives a lost connection",
      "an extract survives a truncated body",
    ],
  },
  {
    title: "a connector that treats a short page as the last",
    plugin: crmThat(async function* (http, signal) {
      const query = (cursor: string | undefined) => ({ query: { cursor, limit: 50 }, signal });
      let page = await http.json<Answer>("/v1/contacts", query(undefined));
      const seen = new Set<string>();
      for (;;) {
        yield page.results;
        const { next } = page.paging;
        if (next === null || page.results.length < 50) return;
        if (seen.has(next)) throw new Error("the pages form a cycle");
        seen.add(next);
        page = await http.json<Answer>("/v1/contacts", query(next));
      }
    }),
    caught: ["an extract survives a short page"],
  },
  {
    title: "a connector that does not detect a repeated page",
    plugin: crmThat(async function* (http, signal) {
      for (let cursor: string | null | undefined; cursor !== null;) {
        const page: Answer = await http.json<Answer>("/v1/contacts", { query: { cursor }, signal });
        yield page.results;
        cursor = page.paging.next;
      }
    }),
    caught: ["an extract survives a repeated page"],
  },
];
