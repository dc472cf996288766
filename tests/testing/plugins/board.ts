import { definePlugin, int64, permanent, table, utf8, verifyHmac } from "agnes/kit";
import * as v from "valibot";

const columns = { id: int64({ nullable: false }), issue_id: int64(), body: utf8() };
const comments = table("comments", columns, { primaryKey: ["id"] });
const pushed = v.object({ delivery: v.string(), issue: v.number() });
const list = v.object({
  comments: v.array(v.object({ id: v.number(), issue_id: v.number(), body: v.string() })),
});

export default definePlugin({
  name: "board",
  version: "1.0.0",
  description: "Comments of the board",
  capabilities: ["discover", "stream"],
  options: v.strictObject({}),
  secrets: { BOARD_KEY: { description: "the key that signs pushed requests", required: true } },
  connect({ secrets, http }) {
    const api = http.with({ baseUrl: "https://board.example.com" });
    return {
      discover: async () => [comments],
      async verify({ headers, body }) {
        const signature = headers["x-signature"];
        if (!verifyHmac({ signature, body, secret: secrets.BOARD_KEY }))
          throw permanent("the signature is wrong");
        const { delivery, issue } = v.parse(pushed, JSON.parse(new TextDecoder().decode(body)));
        return [{ id: delivery, orderingKey: String(issue), body: issue }];
      },
      async *stream(events, { signal }) {
        for await (const { body } of events) {
          const issue_id = Number(body);
          const { comments: rows } = await api.json(`/issues/${issue_id}/comments`, { schema: list, signal });
          yield { kind: "replace", table: "comments", parent: { issue_id }, rows };
        }
      },
    };
  },
});
