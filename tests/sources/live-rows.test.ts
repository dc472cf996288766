import { expect, test } from "bun:test";

import { createAgnes, createLog } from "agnes";
import { definePlugin, int64, table, utf8, type AgnesError } from "agnes/kit";
import * as v from "valibot";

import { temporaryFolder } from "../sync/workspace.ts";

test.each([true, false])(
  "a live table copies rows that the connector changes later (listed: %p)",
  async (isListed) => {
    using folder = temporaryFolder();
    const plugin = definePlugin({
      name: "live",
      version: "1.0.0",
      description: "One object for all rows",
      capabilities: isListed ? ["discover", "read"] : ["read"],
      options: v.strictObject({}),
      secrets: {},
      connect: () => ({
        ...(isListed && { discover: async () => [table("rows", { id: int64(), at: utf8() })] }),
        async *read() {
          const row = { id: 0, at: "" };
          for (const id of [1, 2, 3]) yield [Object.assign(row, { id, at: `row ${id}` })];
          Object.assign(row, { id: "none", at: 0 });
        },
      }),
    } as never);
    await using agnes = await createAgnes({
      workspace: folder.path,
      plugins: [plugin],
      config: { version: 1, sources: { s: { plugin: "live" } } },
    });
    await (await agnes.tables()).register({ source: "s", sourceTable: "rows", queryMode: "remote" });
    await agnes.sync();
    expect(await agnes.rows("SELECT * FROM rows")).toEqual([
      { id: 1, at: "row 1" },
      { id: 2, at: "row 2" },
      { id: 3, at: "row 3" },
    ]);
  },
);

test("a live table warns of unknown keys, and rejects a result without its columns", async () => {
  using folder = temporaryFolder();
  const warnings: string[] = [];
  const info = table("rows", { id: int64(), s: utf8() });
  const upper = table("upper", { ID: int64(), S: utf8() });
  const common = {
    version: "1.0.0",
    description: "Other names",
    options: v.strictObject({}),
    secrets: {},
  };
  await using agnes = await createAgnes({
    workspace: folder.path,
    log: createLog(({ level, message }) => void (level === "warn" && warnings.push(message))),
    plugins: [
      definePlugin({
        ...common,
        name: "reads",
        capabilities: ["discover", "read"],
        connect: () => ({
          discover: async () => [info],
          async *read() {
            yield [{ id: 1, s: "a", zz: 1 }] as never;
            yield [{ id: 2, S: "b" }] as never;
          },
        }),
      }),
      definePlugin({
        ...common,
        name: "answers",
        capabilities: ["discover", "query"],
        connect: () => ({
          discover: async () => [info],
          query: async () => ({
            schema: upper.schema,
            batches: (async function* () {
              yield [{ ID: 1, S: "a" }] as never;
            })(),
          }),
        }),
      }),
    ],
    config: { version: 1, sources: { r: { plugin: "reads" }, q: { plugin: "answers" } } },
  });
  const tables = await agnes.tables();
  await tables.register({ source: "r", sourceTable: "rows", queryMode: "remote" });
  await tables.register({ source: "q", sourceTable: "rows", queryMode: "remote", viewName: "answers" });
  await agnes.sync();
  warnings.length = 0;
  expect(await agnes.rows("SELECT * FROM r.rows")).toEqual([
    { id: 1, s: "a" },
    { id: 2, s: null },
  ]);
  expect(warnings).toEqual([
    'table r.rows: its rows have keys that are not columns and were ignored: "zz" (1 row), "S" (1 row)',
  ]);
  const failure = await agnes.rows("SELECT id FROM q.rows").catch((error: unknown) => error);
  expect((failure as AgnesError).code).toBe("batch_schema_mismatch");
  expect((failure as Error).message).toContain('the result has no column "id"; it has "ID", "S"');
});
