import { test } from "bun:test";

import { definePlugin, int64, permanent, table, timestamp, utf8 } from "../../lib/kit/mod.ts";
import { connectorContract, fakeServer } from "../../lib/testing/mod.ts";
import * as v from "valibot";

/** A complete HTTP connector, as an author would write it. */
const plugin = definePlugin({
  name: "crm",
  version: "1.0.0",
  description: "Contacts of a CRM",
  capabilities: ["discover", "read"],
  options: v.strictObject({ url: v.optional(v.pipe(v.string(), v.url()), "https://api.example.com") }),
  secrets: { CRM_TOKEN: { description: "private app token", required: true } },
  connect({ options, secrets, http }) {
    const api = http.with({ baseUrl: options.url, bearer: secrets.CRM_TOKEN });
    return {
      async discover({ signal }) {
        await api.json("/me", { signal });
        const columns = { id: int64({ nullable: false }), email: utf8(), updated_at: timestamp() };
        return [table("contacts", columns, { primaryKey: ["id"], cursor: "updated_at" })];
      },
      async *read({ name }, { signal, cursor }) {
        if (name !== "contacts") throw permanent(`there is no table ${name}`);
        const query = { since: cursor?.value, limit: 20 };
        const paging = { kind: "cursor", parameter: "after", cursor: "next" } as const;
        type Page = { readonly results: readonly { readonly id: number }[] };
        for await (const page of api.pages<Page>("/contacts", { paging, query, signal })) yield page.results;
      },
    };
  },
});

const contacts = Array.from({ length: 50 }, (_, n) => ({
  id: n,
  email: n % 7 === 0 ? null : `é${n}@example.com`,
  updated_at: new Date(Date.UTC(2026, 0, 1) + n * 3_600_500).toISOString(),
}));

const token = "private-token-of-the-test";
const server = fakeServer({
  "GET /me": ({ headers }) => allowed(headers) ?? Response.json({ name: "Ada" }),
  "GET /contacts": ({ url, headers, page }) => {
    const since = url.searchParams.get("since");
    const later = contacts.filter(
      (contact) =>
        since === null || Date.parse(contact.updated_at) >= Date.parse(`${since.replace(" ", "T")}Z`),
    );
    const { rows, next } = page(later, Number(url.searchParams.get("after") ?? 0), 20);
    return allowed(headers) ?? Response.json({ results: rows, next });
  },
});

function allowed(headers: Headers): Response | undefined {
  if (headers.get("authorization") === `Bearer ${token}`) return undefined;
  return Response.json({ message: `who are you, ${headers.get("authorization")}?` }, { status: 401 });
}

for (const { name, run } of connectorContract(plugin, { secrets: { CRM_TOKEN: token }, server }))
  test(name, run);
