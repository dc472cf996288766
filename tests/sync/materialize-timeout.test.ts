import { expect, setDefaultTimeout, test } from "bun:test";

import { createAgnes } from "agnes";
import { definePlugin } from "agnes/kit";
import * as v from "valibot";

import { temporaryFolder } from "./workspace.ts";

setDefaultTimeout(60_000);

test("sync() ends a hanging query of a materialized table at the timeout of its source", async () => {
  using folder = temporaryFolder();
  const plugin = definePlugin({
    name: "slow",
    version: "1.0.0",
    description: "Never returns",
    capabilities: ["query"],
    options: v.strictObject({}),
    secrets: {},
    connect: () => ({ query: async () => new Promise<never>(() => {}) }),
  });
  await using agnes = await createAgnes({
    workspace: folder.path,
    plugins: [plugin],
    config: { version: 1, sources: { s: { plugin: "slow", materializeTimeoutMs: 100 } } },
  });
  const tables = await agnes.tables();
  await tables.register({ source: "s", name: "top", queryMode: "materialized", sourceQuery: "SELECT 1" });
  const { sources } = await agnes.sync();
  expect(sources[0]!.stats!.errors[0]!.error).toMatchObject({
    code: "timed_out",
    details: { what: "the query of table top", timeoutMs: 100 },
  });
});
