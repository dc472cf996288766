import { expect, test } from "bun:test";
import { inspect } from "node:util";

import { isAgnesError, readableError, redactError } from "../../lib/base/mod.ts";
import { AgnesError, defineErrors, definePlugin, errorSpec, table } from "../../lib/kit/mod.ts";
import { discoverTables } from "../../lib/sources/mod.ts";
import { connectTo, failureOf } from "../sources/example.ts";
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

test("a data error of a plugin stays; another one is plugin_failed with its code, hint and retry class", async () => {
  const failing = async (error: AgnesError) => {
    const handle = await connectTo({ discover: () => Promise.reject(error) }, ["discover"], {
      TOKEN: SECRET,
    });
    return failureOf(discoverTables(handle));
  };
  expect(await failing(errors.sheet_empty({ sheet: "a" }))).toMatchObject({ code: "letters/sheet_empty" });
  expect(await failing(errors.quota_exceeded({ limit: 5 }))).toMatchObject({
    code: "plugin_failed",
    hint: "Run it again tomorrow.",
    retry: "transient",
    details: { code: "letters/quota_exceeded" },
  });
});
