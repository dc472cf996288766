import { cursorDate, definePlugin, int64, permanent, table, timestamp, utf8, verifyHmac } from "agnes/kit";
import * as v from "valibot";

const columns = { id: int64({ nullable: false }), updated_at: timestamp({ nullable: false }) };
const keys = { primaryKey: ["id"], cursor: "updated_at" };
const tables = [
  table("tickets", { ...columns, subject: utf8(), status: utf8(), requester_id: int64() }, keys),
  table("users", { ...columns, email: utf8() }, keys),
];

const record = v.looseObject({ id: v.number() });
const pageOf = v.object({ results: v.array(record), next: v.nullable(v.string()) });
const counts = v.object({ tickets: v.number(), users: v.number() });
const eventOf = v.object({
  id: v.string(),
  type: v.picklist(["ticket.saved", "ticket.deleted"]),
  ticket: record,
});

export default definePlugin({
  name: "helpdesk",
  version: "1.0.0",
  description: "Tickets and users of the helpdesk",
  capabilities: ["discover", "read", "metadata", "stream"],
  options: v.strictObject({
    url: v.pipe(v.string(), v.url(), v.description("Base URL, such as https://acme.helpdesk.example")),
  }),
  secrets: {
    HELPDESK_TOKEN: { description: "API token, created under Admin → API", required: true },
    HELPDESK_WEBHOOK_SECRET: { description: "signing secret of the webhook; only for pushed events" },
  },
  connect({ options, secrets, http }) {
    const api = http.with({ baseUrl: options.url, bearer: secrets.HELPDESK_TOKEN, requestsPerSecond: 10 });
    const paging = { kind: "cursor", parameter: "cursor", cursor: "next" } as const;
    return {
      discover: async () => tables,

      async *read({ name }, { cursor, signal }) {
        if (!tables.some((one) => one.name === name)) throw permanent(`the helpdesk has no table ${name}`);
        const since = cursor && cursorDate(cursor).toISOString();
        const request = { query: { since }, paging, schema: pageOf, signal };
        for await (const { results } of api.pages(`/v2/${name}`, request)) yield results;
        if (name !== "tickets" || since === undefined) return;
        // After the rows: a ticket deleted during the read would be missed once the cursor is past it.
        for await (const { results } of api.pages("/v2/tickets/deleted", request))
          yield { kind: "deletions", keys: results };
      },

      async metadata(asked, { signal }) {
        const rows: Record<string, number> = await api.json("/v2/counts", { schema: counts, signal });
        return asked.flatMap(({ name }) =>
          Object.hasOwn(rows, name) ? [{ name, entityType: "table" as const, rows: rows[name]! }] : [],
        );
      },

      async verify({ headers, body }) {
        const [signature, secret] = [headers["x-helpdesk-signature"], secrets.HELPDESK_WEBHOOK_SECRET ?? ""];
        if (!verifyHmac({ signature, body, secret, prefix: "sha256=" }))
          throw permanent("the signature of the webhook does not match HELPDESK_WEBHOOK_SECRET");
        const event = JSON.parse(new TextDecoder().decode(body));
        return [{ id: v.parse(eventOf, event).id, body: event }];
      },

      async *stream(events) {
        for await (const { body } of events) {
          const { type, ticket } = v.parse(eventOf, body);
          if (type === "ticket.saved") yield { kind: "upsert", table: "tickets", row: ticket };
          else yield { kind: "delete", table: "tickets", key: ticket };
        }
      },

      async health({ signal }) {
        await api.json("/v2/counts", { signal });
        return { ok: true, message: `${options.url} accepts the token` };
      },
    };
  },
});
