import { expect, test } from "bun:test";
import { inspect } from "node:util";

import { isAgnesError, readableError, redactError } from "../../lib/base/mod.ts";
import { AgnesError, defineErrors, definePlugin, errorSpec, table } from "../../lib/kit/mod.ts";
import { discoverTables } from "../../lib/sources/mod.ts";
import { plugin } from "../plugins/example.ts";
import { connect, failureOf } from "../sources/example.ts";
import * as v from "valibot";

const SECRET = "s3cret-value";
const errors = defineErrors("letters", {
  quota_exceeded: errorSpec<{ limit: number; reason?: string }>({
    status: 429,
    exit: 2,
    retry: "transient",
    message: (d) => `the account may make ${d.limit} requests a day`,
    hint: (d) => d.reason ?? "Run it again tomorrow.",
  }),
  sheet_empty: errorSpec<{ sheet: string }>({
    isDataError: true,
    message: (d) => `sheet ${d.sheet} has no header`,
    hint: () => "Add one.",
  }),
  leaking: errorSpec<object>({
    isDataError: true,
    message: () => `asked for ${SECRET}`,
    hint: () => `Use ${SECRET}.`,
  }),
});

test("defineErrors() makes functions that create AgnesErrors with the code of the plugin", () => {
  const cause = new Error("429");
  const error = errors.quota_exceeded({ limit: 500 }, { cause });
  expect(error).toBeInstanceOf(AgnesError);
  expect(isAgnesError(error, "letters/quota_exceeded")).toBe(true);
  expect(error.cause).toBe(cause);
  expect(error).toMatchObject({
    code: "letters/quota_exceeded",
    message: "the account may make 500 requests a day",
    hint: "Run it again tomorrow.",
    status: 429,
    exitCode: 2,
    retry: "transient",
    details: { limit: 500 },
  });
  expect(errors.quota_exceeded({ limit: 1 }, { retry: "permanent" }).retry).toBe("permanent");
  expect(errors.sheet_empty({ sheet: "a" })).toMatchObject({ status: 500, exitCode: 1, retry: "permanent" });
  // @ts-expect-error: the details have a type
  errors.quota_exceeded({ limit: "500" });
  expect(() => new AgnesError("letters/unknown", {})).toThrow('the error code "letters/unknown" is unknown');
});

test("definePlugin() accepts the errors of defineErrors", () => {
  const plugin = definePlugin({
    name: "letters",
    version: "1.0.0",
    description: "Letters",
    capabilities: ["discover"],
    options: v.strictObject({}),
    secrets: {},
    errors,
    connect: () => ({ discover: async () => [table("letters", {})] }),
  });
  expect(Object.values(plugin.errors ?? {}).map(({ code }) => code)).toEqual([
    "letters/quota_exceeded",
    "letters/sheet_empty",
    "letters/leaking",
  ]);
});

test("an error with the code of a plugin is redacted and copied like any other", () => {
  const leaked = errors.sheet_empty({ sheet: SECRET });
  expect(redactError(leaked, [SECRET])).toMatchObject({
    code: "letters/sheet_empty",
    message: "sheet [redacted] has no header",
    isDataError: true,
  });
  const circular = errors.quota_exceeded({ limit: 5 });
  circular.cause = circular;
  expect(readableError(circular)).toMatchObject({
    code: "letters/quota_exceeded",
    hint: "Run it again tomorrow.",
  });
  const texts = redactError(errors.leaking({}), [SECRET]);
  expect([texts.message, texts.hint]).toEqual(["asked for [redacted]", "Use [redacted]."]);
  expect(inspect(texts, { showHidden: true, depth: 9 })).not.toContain(SECRET);
});

/** The failure of a plugin that throws a value. */
async function failing(thrown: unknown, declared: object = errors): Promise<unknown> {
  const used = plugin({
    name: "letters",
    secrets: { TOKEN: { description: "x" } },
    errors: declared,
    connect: () => ({ discover: () => Promise.reject(thrown as Error) }),
  });
  const { handle } = await connect(used, {}, { host: { env: { TOKEN: SECRET } } });
  return failureOf(discoverTables(handle));
}

test("a data error of a plugin stays; another one is plugin_failed with its code, hint and retry class", async () => {
  expect(await failing(errors.sheet_empty({ sheet: "a" }))).toMatchObject({ code: "letters/sheet_empty" });
  expect(await failing(errors.quota_exceeded({ limit: 5 }))).toMatchObject({
    code: "plugin_failed",
    hint: "Run it again tomorrow.",
    retry: "transient",
    details: { code: "letters/quota_exceeded" },
  });
});

test("an error with a code that the plugin does not declare is plugin_failed without that code", async () => {
  const failure = (await failing(errors.sheet_empty({ sheet: "a" }), {})) as AgnesError;
  expect(failure).toMatchObject({
    code: "plugin_failed",
    hint: 'Declare "letters/sheet_empty" with defineErrors, as `errors` of the plugin.',
    details: { reason: "sheet a has no header" },
  });
  expect(failure.details).not.toHaveProperty("code");
});

class Token {
  readonly #value = SECRET;
  toJSON() {
    return { token: this.#value };
  }
  toString() {
    return "a token";
  }
}

test.each<[string, unknown, unknown]>([
  ["bytes", Buffer.from(SECRET), "(12 bytes)"],
  ["a typed array", new Uint16Array(3), "(6 bytes)"],
  ["a URL", new URL(`https://x.example/?q=${SECRET}`), "https://x.example/?q=[redacted]"],
  ["headers", new Headers({ authorization: SECRET }), "[object Headers]"],
  ["an object with toJSON", new Token(), "a token"],
  ["a map", new Map([["key", SECRET]]), "[object Map]"],
  ["a set", new Set([SECRET]), "[object Set]"],
  ["an error", Object.assign(new Error(`no ${SECRET}`), { SECRET }), "no [redacted]"],
  ["a date", new Date(0), "1970-01-01T00:00:00.000Z"],
  ["a function", () => SECRET, "(function)"],
  ["a symbol key", { [Symbol("s")]: SECRET }, {}],
  ["a key that is not enumerable", Object.defineProperty({}, "hidden", { value: SECRET }), {}],
  [
    "a getter",
    {
      get token() {
        return SECRET;
      },
    },
    { token: "[redacted]" },
  ],
  [
    "a getter that throws",
    {
      get token(): string {
        throw new Error(SECRET);
      },
    },
    "(not readable)",
  ],
  [
    "plain values",
    { list: [1, null, true, "a"], size: 2n ** 64n },
    { list: [1, null, true, "a"], size: "18446744073709551616" },
  ],
])("the details of an error have %s as plain data", async (_name, value, plain) => {
  const thrown = errors.sheet_empty({ sheet: "a", value } as never);
  const error = (await failing(thrown)) as AgnesError;
  expect(error).toMatchObject({ code: "letters/sheet_empty", message: "sheet a has no header" });
  expect(error.details as unknown).toEqual({ sheet: "a", value: plain });
  const texts = JSON.stringify(error) + inspect(error, { depth: 9, showHidden: true }) + Bun.inspect(error);
  expect(texts).not.toContain(SECRET);
});

test("properties that a plugin adds to an error are dropped", async () => {
  const error = await failing(Object.assign(errors.sheet_empty({ sheet: "a" }), { toJSON: () => SECRET }));
  expect(JSON.parse(JSON.stringify(error))).toMatchObject({ error: { code: "letters/sheet_empty" } });
});

test("an error whose texts cannot be made without its secret has a fallback message", async () => {
  const fragile = defineErrors("letters", {
    fragile: errorSpec<{ token: string }>({
      isDataError: true,
      message: ({ token }) => {
        if (token !== SECRET) throw new Error(`changed ${SECRET}`);
        return "it starts with s3cr";
      },
      hint: () => "Correct it.",
    }),
  });
  const error = (await failing(fragile.fragile({ token: SECRET }), fragile)) as AgnesError;
  expect(error).toMatchObject({ code: "letters/fragile", details: { token: "[redacted]" } });
  expect(error.message).toStartWith("the source failed with letters/fragile");
  expect(inspect(error)).not.toContain("s3cr");
});

test("a message that uses an object of a class is kept if no detail has a secret", async () => {
  const dated = defineErrors("letters", {
    late: errorSpec<{ at: Date }>({
      isDataError: true,
      message: ({ at }) => `it was due at ${at.toISOString()}`,
      hint: () => "Wait.",
    }),
  });
  expect(await failing(dated.late({ at: new Date(0) }), dated)).toMatchObject({
    message: "it was due at 1970-01-01T00:00:00.000Z",
  });
});

test("a thrown proxy that cannot be read is plugin_failed", async () => {
  const raise = () => {
    throw new Error(SECRET);
  };
  const target = errors.sheet_empty({ sheet: "a" });
  const keys = ["isDataError", "details", "message", "code", "cause"];
  for (const key of [...keys, undefined]) {
    const get = (from: object, asked: PropertyKey) =>
      key === undefined || asked === key ? raise() : (Reflect.get(from, asked) as unknown);
    for (const inner of [target, new Error("x"), {}]) {
      const error = await failing(new Proxy(inner, { get }));
      expect(error).toBeInstanceOf(AgnesError);
      expect(() => JSON.stringify((error as AgnesError).cause)).not.toThrow();
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(SECRET);
    }
  }
});
