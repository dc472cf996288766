import { expect, test } from "bun:test";

import { createAgnes } from "agnes";
import { AgnesError, definePlugin, int64, table } from "agnes/kit";
import * as v from "valibot";

import { temporaryFolder } from "./workspace.ts";

const names = Array.from({ length: 11 }, (_, at) => `t${String(at).padStart(2, "0")}`);
const plugin = definePlugin({
  name: "many",
  version: "1.0.0",
  description: "Many tables",
  capabilities: ["discover", "read"],
  options: v.strictObject({}),
  secrets: {},
  connect: () => ({
    discover: async () => [...names, "late"].map((name) => table(name, { id: int64() })),
    async *read() {
      yield [{ id: 1 }];
    },
  }),
});

test("the error for an unknown table lists the published tables, or the sync command that publishes it", async () => {
  using folder = temporaryFolder();
  const config = { version: 1, sources: { many: { plugin: "many", register: "listed" } } } as const;
  await using agnes = await createAgnes({ workspace: folder.path, plugins: [plugin], config });
  const hintOf = async (work: Promise<unknown>) => {
    const error = await work.then(
      () => null,
      (failure: unknown) => failure,
    );
    return error instanceof AgnesError && error.code === "table_unknown" ? error.hint : String(error);
  };
  const registry = await agnes.tables();
  await registry.register({ source: "many", sourceTable: "late", viewName: "later" });
  const publish = "It is registered as many.late; run `agnes sync many.late` to publish it.";
  expect(await hintOf(agnes.rows("FROM later"))).toBe(publish);
  for (const name of names) await registry.register({ source: "many", sourceTable: name });
  await agnes.sync({ only: names.map((name) => `many.${name}`) });
  expect(await hintOf(agnes.rows("FROM t1"))).toBe(
    "Published: t00, t01, t02, t03, t04, t05, t06, t10 and 3 more; `agnes catalog` lists all.",
  );
  expect(await hintOf(agnes.rows("FROM later"))).toBe(publish);
  expect(await hintOf(agnes.describe("many.late"))).toBe(publish);
  expect(await hintOf(agnes.sample("Later", 1))).toBe(publish);
  // The error does not reveal tables that are not granted.
  expect(await hintOf(agnes.query("FROM later", { access: new Set(["t01"]) }))).toBe("Published: t01.");
  expect(await hintOf(agnes.query("FROM later", { access: new Set(["later"]) }))).toBe(publish);
});
