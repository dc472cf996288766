import { definePlugin, int64, table, type AnyPlugin } from "agnes/kit";
import * as v from "valibot";

const numbers = definePlugin({
  name: "numbers",
  version: "1.0.0",
  description: "The first whole numbers",
  capabilities: ["discover", "read"],
  options: v.strictObject({ count: v.optional(v.number(), 10) }),
  secrets: { TOKEN: { description: "x", required: true }, OTHER: { description: "y" } },
  connect: ({ options, secrets }) => ({
    discover: async () => [table("numbers", { n: int64() })],
    async *read(_table, { signal }) {
      secrets.TOKEN.reveal();
      signal.throwIfAborted();
      yield Array.from({ length: options.count }, (_, n) => ({ n }));
    },
  }),
});
export const any: AnyPlugin = numbers;

export const missing = definePlugin({
  name: "numbers",
  version: "1.0.0",
  description: "The first whole numbers",
  capabilities: ["discover", "read"],
  options: v.strictObject({}),
  secrets: {},
  // @ts-expect-error read is declared but missing
  connect: () => ({ discover: async () => [table("numbers", { n: int64() })] }),
});
export const undeclared = definePlugin({
  name: "numbers",
  version: "1.0.0",
  description: "The first whole numbers",
  capabilities: ["discover"],
  options: v.strictObject({}),
  secrets: {},
  // @ts-expect-error read is not declared
  connect: () => ({ discover: async () => [table("numbers", { n: int64() })], async *read() {} }),
});
