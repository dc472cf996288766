// Checked by tsc alone: each `@ts-expect-error` is a mistake that must not compile.
import {
  definePlugin,
  int64,
  table,
  type AnyPlugin,
  type Capability,
  type Connector,
  type Secret,
} from "agnes/kit";
import * as v from "valibot";

const named = { name: "numbers", version: "1.0.0", description: "The first whole numbers" } as const;
const plain = { ...named, options: v.strictObject({}), secrets: {} } as const;
const numbers = table("numbers", { n: int64() });

const whole = definePlugin({
  ...named,
  capabilities: ["discover", "read"],
  options: v.strictObject({ count: v.optional(v.number(), 10), label: v.optional(v.string()) }),
  secrets: { TOKEN: { description: "x", required: true }, OTHER: { description: "y" } },
  connect: ({ options, secrets }) => ({
    discover: async () => [numbers],
    async *read(_table, { signal, batchRows, cursor }) {
      const count: number = options.count;
      const label: string | undefined = options.label;
      const token: Secret = secrets.TOKEN;
      // @ts-expect-error an optional secret may be undefined
      const other: Secret = secrets.OTHER;
      // @ts-expect-error there is no such secret
      const unknownSecret: unknown = secrets.TOKN;
      // @ts-expect-error there is no such option
      const unknownOption: unknown = options.cuont;
      signal.throwIfAborted();
      yield Array.from({ length: Math.min(count, batchRows) }, (_, n) => ({ n, label }));
      yield [{ token, other, cursor, unknownSecret, unknownOption }];
      return { state: { page: 1 } };
    },
    health: async () => ({ ok: true, message: "fine" }),
    close() {},
  }),
});
export const any: AnyPlugin = whole;

export const asynchronous: AnyPlugin = definePlugin({
  ...plain,
  capabilities: ["discover"],
  connect: async () => ({
    async *discover() {
      yield [numbers];
      yield numbers;
    },
  }),
});

export const missing = definePlugin({
  ...plain,
  capabilities: ["discover", "read"],
  // @ts-expect-error read is declared but missing
  connect: () => ({ discover: async () => [numbers] }),
});

export const undeclared = definePlugin({
  ...plain,
  capabilities: ["discover"],
  // @ts-expect-error read is not declared
  connect: () => ({ discover: async () => [numbers], async *read() {} }),
});

export const halfStream = definePlugin({
  ...plain,
  capabilities: ["stream"],
  // @ts-expect-error stream needs verify as well
  connect: () => ({ async *stream() {} }),
});

export const undeclaredEstimate = definePlugin({
  ...plain,
  capabilities: ["discover"],
  // @ts-expect-error estimate belongs to query
  connect: () => ({ discover: async () => [numbers], estimate: async () => ({ rows: 1 }) }),
});

export const unknownCapability = definePlugin({
  ...plain,
  // @ts-expect-error there is no such capability
  capabilities: ["discover", "reed"],
  connect: () => ({ discover: async () => [numbers] }) as never,
});

export const badBatch = definePlugin({
  ...plain,
  capabilities: ["read"],
  connect: () => ({
    // @ts-expect-error a batch is not a number
    async *read() {
      yield 1;
    },
  }),
});

export const badEnd = definePlugin({
  ...plain,
  capabilities: ["read"],
  connect: () => ({
    // @ts-expect-error a read ends with a ReadResult or nothing
    async *read() {
      yield [];
      return "done";
    },
  }),
});

export const badRemote = definePlugin({
  ...plain,
  capabilities: ["remote"],
  // @ts-expect-error remote does no I/O, so it is not asynchronous
  connect: () => ({ remote: async () => ({ alias: "a", extension: "duckdb", url: "x", tokenEnv: "" }) }),
});

// @ts-expect-error a plugin has a version
export const unversioned = definePlugin({
  name: "numbers",
  description: "The first whole numbers",
  capabilities: ["discover"],
  options: v.strictObject({}),
  secrets: {},
  connect: () => ({ discover: async () => [numbers] }),
});

/** A connector has exactly its own methods. */
export function reader(connector: Connector<"read">): void {
  const read: unknown = connector.read;
  // @ts-expect-error it cannot be called, because it does not exist
  connector.discover(read);
}

// @ts-expect-error capabilities are literals, not any string
export const word: Capability = "fly";
