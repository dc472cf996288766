import { describe, expect, test } from "bun:test";
import { inspect } from "node:util";

import { Secret, type AgnesError } from "../../lib/base/mod.ts";
import type { ConnectContext } from "../../lib/kit/mod.ts";
import { checkHealth } from "../../lib/sources/mod.ts";
import * as v from "valibot";
import { numbers, plugin } from "../plugins/example.ts";
import { connect, connectTo, failureOf } from "./example.ts";

type Context = ConnectContext<
  Record<string, unknown>,
  Record<string, { description: string; required: true }>
>;

describe("connectSource()", () => {
  test("connectSource() passes checked options, secrets, paths, time and the source name to connect", async () => {
    let seen: Context | undefined;
    const used = plugin({
      options: v.strictObject({ url: v.optional(v.string(), "https://x") }),
      secrets: { TOKEN: { description: "a", required: true }, OTHER: { description: "b" } },
      connect: (context: Context) => {
        seen = context;
        return { discover: async () => [numbers] };
      },
    });
    const { handle } = await connect(
      used,
      { secrets: { TOKEN: "CRM_TOKEN" } },
      { host: { env: { CRM_TOKEN: "s3cret" }, now: () => new Date(5) } },
    );
    expect(seen!.source).toBe("s");
    expect(seen!.options).toEqual({ url: "https://x" });
    expect(seen!.secrets["TOKEN"]).toBeInstanceOf(Secret);
    expect([seen!.secrets["TOKEN"]!.name, seen!.secrets["TOKEN"]!.reveal()]).toEqual(["CRM_TOKEN", "s3cret"]);
    expect(seen!.secrets["OTHER"]).toBeUndefined();
    expect([seen!.resolvePath("a/b"), seen!.resolvePath("/a")]).toEqual(["/workspace/a/b", "/a"]);
    expect(seen!.now().getTime()).toBe(5);
    expect(handle.secrets).toEqual(["s3cret"]);
  });

  test("connectSource() reports an invalid option, an unknown option and an unknown plugin", async () => {
    const used = plugin({ options: v.strictObject({ count: v.optional(v.number(), 1) }) });
    expect(await failureOf(connect(used, { options: { count: "many" } }))).toMatchObject({
      code: "config_invalid",
      message: "sources.s.options: count should be number, but is a string",
    });
    const nested = plugin({
      options: v.strictObject({ list: v.array(v.string()), map: v.optional(v.strictObject({})) }),
    });
    for (const [options, expected] of [
      [{ list: "a" }, "list should be a list, but is a string"],
      [{ list: [], map: "a" }, "map should be a map, but is a string"],
    ] as const)
      expect(await failureOf(connect(nested, { options }))).toMatchObject({
        message: `sources.s.options: ${expected}`,
      });
    const strict = plugin({ options: v.strictObject({ url: v.pipe(v.string(), v.url()) }) });
    expect(await failureOf(connect(strict, { options: { url: "s3cret" } }))).toMatchObject({
      message: "sources.s.options: url should be of the form url, but is a string",
    });
    const own = plugin({
      options: v.pipe(
        v.strictObject({}),
        v.check(() => false, "name a place"),
      ),
    });
    expect(await failureOf(connect(own, {}))).toMatchObject({ message: "sources.s.options: name a place" });
    expect(await failureOf(connect(used, { options: { conut: 1 } }))).toMatchObject({
      code: "config_unknown_key",
      hint: 'Did you mean "count"?',
    });
    expect(await failureOf(connect(used, { plugin: "nubmers" }))).toMatchObject({ code: "plugin_unknown" });
  });

  test("connectSource() reports the variables of all missing secrets, and no value", async () => {
    const secrets = {
      ONE: { description: "first", required: true },
      TWO: { description: "second", required: true },
      THREE: { description: "third", required: true },
      FOUR: { description: "fourth" },
    };
    const config = { secrets: { TWO: "MY_TWO" } };
    const host = { env: { ONE: "value-of-one", THREE: "" } };
    const error = (await failureOf(connect(plugin({ secrets }), config, { host }))) as AgnesError;
    expect(error).toMatchObject({
      code: "secret_missing",
      exitCode: 2,
      details: { variables: ["MY_TWO", "THREE"] },
    });
    expect(error.message).toContain("MY_TWO (second), THREE (third)");
    expect(JSON.stringify(error)).not.toContain("value-of-one");
    expect(await failureOf(connect(plugin({ secrets }), { secrets: { TOW: "X" } }, { host }))).toMatchObject({
      code: "config_unknown_key",
      hint: 'Did you mean "TWO"?',
    });
  });

  test("connectSource() wraps the error of connect, without the secret in it", async () => {
    const used = plugin({
      secrets: { TOKEN: { description: "a" } },
      connect: () => {
        throw new Error("bad token s3cret-value", { cause: { token: "s3cret-value" } });
      },
    });
    const error = (await failureOf(
      connect(used, {}, { host: { env: { TOKEN: "s3cret-value" } } }),
    )) as AgnesError;
    expect(error).toMatchObject({
      code: "plugin_failed",
      details: { plugin: "numbers", source: "s", operation: "connect", reason: "bad token [redacted]" },
    });
    expect(inspect(error, { depth: 9 })).not.toContain("s3cret-value");
  });

  test("connectSource() rejects a connector that does not match its plugin", async () => {
    const used = plugin({ capabilities: ["discover", "read"] });
    expect(await failureOf(connect(used))).toMatchObject({ code: "plugin_invalid" });
  });

  test("connectSource() times out when connect never ends, and closes a late connection", async () => {
    let finish = (_connector: object) => {};
    let closed = 0;
    const used = plugin({ connect: () => new Promise((resolve) => (finish = resolve)) });
    expect(await failureOf(connect(used, {}, { timeoutMs: 20 }))).toMatchObject({
      code: "timed_out",
      message: "connecting to source s did not finish within 20 ms",
    });
    finish({ discover: async () => [], close: () => void (closed += 1) });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(closed).toBe(1);
    const controller = new AbortController();
    const stopped = failureOf(connect(used, {}, { signal: controller.signal }));
    controller.abort();
    expect(await stopped).toMatchObject({ code: "aborted" });
  });

  test("log of a plugin contains the source and no secret", async () => {
    const used = plugin({
      secrets: { TOKEN: { description: "a" } },
      connect: ({ log, secrets }: Context) => {
        log.info("using s3cret-value", { token: secrets["TOKEN"]!.reveal() });
        return { discover: async () => [numbers] };
      },
    });
    const { log } = await connect(used, {}, { host: { env: { TOKEN: "s3cret-value" } } });
    expect(log).toEqual([
      { level: "info", message: "using [redacted]", fields: { source: "s", token: "[redacted]" } },
    ]);
  });

  test("close() closes the connector once, and wraps its failure", async () => {
    let closed = 0;
    const handle = await connectTo({ discover: async () => [numbers], close: () => void (closed += 1) }, [
      "discover",
    ]);
    await handle.close();
    await handle.connector.close!();
    await handle[Symbol.asyncDispose]();
    expect(closed).toBe(1);
    const broken = await connectTo(
      {
        discover: async () => [numbers],
        close: () => {
          throw new Error("still busy");
        },
      },
      ["discover"],
    );
    expect(await failureOf(broken.close())).toMatchObject({
      code: "plugin_failed",
      details: { operation: "close" },
    });
  });
});

describe("checkHealth()", () => {
  const discover = async () => [numbers];

  test("checkHealth() returns the result of the plugin, and reports a failure as a result", async () => {
    const well = await connectTo({ discover, health: async () => ({ ok: true, message: "fine" }) }, [
      "discover",
    ]);
    expect(await checkHealth(well)).toEqual({ ok: true, message: "fine" });
    const ill = await connectTo({ discover, health: () => Promise.reject(new Error("no route")) }, [
      "discover",
    ]);
    expect(await checkHealth(ill)).toMatchObject({
      code: "plugin_failed",
      message: "source s (plugin numbers): health failed: no route",
    });
    const stuck = await connectTo({ discover, health: () => new Promise(() => {}) }, ["discover"]);
    expect(await checkHealth(stuck, { timeoutMs: 20 })).toMatchObject({ code: "timed_out" });
  });

  test("checkHealth() lists the tables when the plugin has no health check", async () => {
    expect(await checkHealth(await connectTo({ discover }, ["discover"]))).toEqual({
      ok: true,
      message: "connected; 1 table",
    });
    const metadata = await connectTo({ metadata: async () => [] }, ["metadata"]);
    expect(await checkHealth(metadata)).toMatchObject({ ok: true });
  });
});
