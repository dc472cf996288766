import { cursorDate, decimal, definePlugin, int64, table, timestamp, utf8 } from "agnes/kit";
import * as v from "valibot";

const contacts = table(
  "contacts",
  {
    id: int64({ nullable: false }),
    email: utf8({ description: "null after a deletion request" }),
    updated_at: timestamp({ nullable: false }),
  },
  { primaryKey: ["id"], cursor: "updated_at", description: "People in contact with the company" },
);

const deals = table(
  "deals",
  { id: utf8({ nullable: false }), amount: decimal(12, 2), contact_id: int64() },
  { primaryKey: ["id"], description: "Closed and open sales" },
);

const contactsPage = v.object({
  results: v.array(v.record(v.string(), v.unknown())),
  deleted: v.array(v.number()),
});
const dealsPage = v.array(v.record(v.string(), v.unknown()));

export default definePlugin({
  name: "crm",
  version: "1.0.0",
  description: "Contacts and deals of the CRM",
  capabilities: ["discover", "read"],
  options: v.strictObject({
    url: v.optional(
      v.pipe(v.string(), v.url(), v.description("Base URL of the API")),
      "https://crm.example.com",
    ),
  }),
  secrets: { CRM_TOKEN: { description: "API token, created under Settings → API", required: true } },
  connect({ options, secrets, http }) {
    const api = http.with({ baseUrl: options.url, bearer: secrets.CRM_TOKEN, requestsPerSecond: 20 });
    return {
      async discover() {
        return [contacts, deals];
      },

      async *read({ name }, { cursor, signal }) {
        if (name === "contacts") {
          const since = cursor && cursorDate(cursor).toISOString();
          const pages = api.pages("/v1/contacts", {
            query: { limit: 50, updated_since: since },
            paging: { kind: "cursor", parameter: "cursor", cursor: "paging.next" },
            schema: contactsPage,
            signal,
          });
          for await (const { results, deleted } of pages) {
            yield results;
            if (deleted.length > 0) yield { kind: "deletions", keys: deleted.map((id) => ({ id })) };
          }
        } else if (name === "deals") {
          const pages = api.pages("/v1/deals", { paging: { kind: "link" }, schema: dealsPage, signal });
          for await (const page of pages) yield page;
        } else {
          throw new Error(`the CRM has no table ${name}`);
        }
      },

      async health({ signal }) {
        await api.json("/v1/deals", { query: { limit: 1 }, signal });
        return { ok: true, message: `${options.url} accepts the token` };
      },
    };
  },
});
