import { definePlugin, permanent } from "agnes/kit";
import * as v from "valibot";

/** A source whose queries fail with their SQL and the value of its secret in the message. */
export const leaking = definePlugin({
  name: "leaking",
  version: "1.0.0",
  description: "Reveals its key",
  capabilities: ["query"],
  options: v.strictObject({}),
  secrets: { KEY: { description: "key", required: true } },
  connect: ({ secrets }) => ({
    async query(sql) {
      throw permanent(`${sql} failed for ${secrets.KEY.reveal()}`);
    },
  }),
});
