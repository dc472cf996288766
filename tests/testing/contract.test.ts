import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { AgnesError, definePlugin, int64, table, type AnyPlugin } from "agnes/kit";
import { connectorContract, runCases, type ContractConfig } from "agnes/testing";
import * as v from "valibot";

import { failuresOf, memoryConfig as config } from "./failures.ts";
import { brokenPlugins } from "./plugins/broken.ts";
import { memoryPlugin } from "./plugins/memory.ts";

// Many databases are opened here; a busy machine takes its time.
setDefaultTimeout(60_000);

test("connectorContract() finds nothing wrong with a plugin that keeps every promise", async () => {
  const results = await runCases(connectorContract(memoryPlugin(), config));
  expect(results.length).toBeGreaterThan(20);
  expect(results.filter((result) => !result.ok)).toEqual([]);
});

test("connectorContract() finds a table that discover() lists as unreadable", async () => {
  const problem = new AgnesError("source_path_empty", { path: "orders.csv" });
  const plugin = definePlugin({
    name: "half",
    version: "1.0.0",
    description: "a table that cannot be read",
    capabilities: ["discover"],
    options: v.strictObject({}),
    secrets: {},
    connect: () => ({ discover: async () => [table("orders", {}, { problem })] }),
  });
  const results = await runCases(connectorContract(plugin, config));
  const failed = results.find(({ name }) => name === "discover() lists named and typed tables");
  expect(failed).toMatchObject({ ok: false });
  expect(String((failed as { error?: unknown }).error)).toMatch(/orders cannot be read.*orders\.csv/s);
});

test("connectorContract() says so when there is no cursor and no value to try", async () => {
  const plugin = definePlugin({
    name: "plain",
    version: "1.0.0",
    description: "a table without a cursor",
    capabilities: ["discover", "read"],
    options: v.strictObject({}),
    secrets: {},
    connect: () => ({
      discover: async () => [table("plain", { n: int64() })],
      async *read() {
        yield [{ n: null }];
      },
    }),
  });
  const remarks = async (tried: AnyPlugin) =>
    (await runCases(connectorContract(tried, config))).flatMap(({ ok, name, remark }) =>
      remark === undefined ? [] : [{ ok, name, remark }],
    );
  expect(await remarks(plugin)).toEqual([
    {
      ok: true,
      name: "read() with a filter yields the rows that filtering afterwards leaves",
      remark: "no table has a value to filter by, so nothing was tried",
    },
    {
      ok: true,
      name: "read() with a cursor yields exactly the rows that it asks for",
      remark: "no table with rows has a cursor, so nothing was tried",
    },
    {
      ok: true,
      name: "read() names rows that are gone by their primary key, and an extract removes them",
      remark: "no table says that rows are gone, so nothing was tried",
    },
  ]);
  expect(await remarks(memoryPlugin())).toEqual([]);
});

// That no other case fails is checked in tests/full, because it takes all cases.
describe("connectorContract() catches what is broken:", () => {
  for (const { words, breaking, caught, capabilities } of brokenPlugins) {
    test(words, async () => {
      expect(await failuresOf(memoryPlugin(breaking, capabilities), config, caught)).toEqual([...caught]);
    });
  }

  test("options that take any key", async () => {
    const plugin = { ...memoryPlugin(), options: v.object({}) };
    const caught = ["options refuse an unknown key"];
    expect(await failuresOf(plugin, config, caught)).toEqual(caught);
  });

  test("every case, but the ones that only faults of a server can break", () => {
    const caught = new Set([
      ...brokenPlugins.flatMap((broken) => broken.caught),
      "options refuse an unknown key",
    ]);
    expect(connectorContract(memoryPlugin(), config).filter(({ name }) => !caught.has(name))).toEqual([]);
  });
});

describe("connectorContract() chooses cases", () => {
  const names = (plugin: AnyPlugin, given: ContractConfig = {}) =>
    connectorContract(plugin, given).map((one) => one.name);

  test("connectorContract() gives the cases of the declared capabilities only", () => {
    const some = { ...memoryPlugin(), capabilities: ["discover", "metadata"] } as const;
    for (const { needs } of connectorContract(some, config))
      expect(some.capabilities).toEqual(expect.arrayContaining([...needs]));
    expect(names(some).some((name) => name.startsWith("read()"))).toBe(false);
  });

  test("connectorContract() writes nothing and pushes nothing genuine unless told what", () => {
    expect(names(memoryPlugin()).some((name) => name.startsWith("write()"))).toBe(false);
    expect(names(memoryPlugin()).some((name) => name.startsWith("stream()"))).toBe(false);
    expect(names(memoryPlugin())).toContain("verify() refuses a request that nobody signed");
  });

  test("connectorContract() names every case once", () => {
    const all = names(memoryPlugin(), config);
    expect(new Set(all).size).toBe(all.length);
  });
});
