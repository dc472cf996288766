import { definePlugin, int64, table } from "agnes/kit";
import * as v from "valibot";

/** A source that yields three rows, and then computes without a pause. */
export default definePlugin({
  name: "blocking",
  version: "1.0.0",
  description: "Blocks",
  capabilities: ["discover", "read"],
  options: v.strictObject({ blocks: v.boolean() }),
  secrets: {},
  register: "all",
  connect: ({ options }) => ({
    discover: async () => [table("numbers", { n: int64() })],
    async *read() {
      yield [{ n: 1 }, { n: 2 }, { n: 3 }];
      while (options.blocks) Math.sqrt(2);
    },
  }),
});
