import { expect, test } from "bun:test";

import { createAgnes } from "agnes";

import files from "../../plugins/files/plugin.ts";
import { makeFolder } from "./support.ts";

test("sync() prints the command that enables the quarantine of a table, registered or not", async () => {
  await using folder = await makeFolder();
  const lines = Array.from({ length: 40 }, (_, at) => `{"id":${at},"v":${at}}\n`);
  await folder.write("exports/j.ndjson", `${lines.join("")}42\n`);
  await folder.write("exports/t.csv", "id,v\n1,1\n");
  await folder.write("exports/k.csv", "id,v\n1,1\n");
  await using agnes = await createAgnes({
    workspace: folder.path,
    plugins: [files],
    config: {
      version: 1,
      sources: {
        exports: {
          plugin: "files",
          options: { path: "exports", tables: { t: { types: { v: "DATE" } }, k: { types: { v: "DATE" } } } },
        },
      },
    },
  });
  const hints = async () => {
    const { sources } = await agnes.sync();
    return new Map(sources[0]!.stats!.errors.map(({ table, error }) => [table, error.hint]));
  };
  const first = await hints();
  expect(first.get("j")).toBe(
    "Correct the file, or let the table quarantine rows with `agnes table register exports j --quarantine true`.",
  );
  const isRegistered = (await (await agnes.tables()).list()).some(({ name }) => name === "t");
  expect(isRegistered).toBe(true);
  expect(first.get("t")).toEndWith("rows with `agnes table update exports.t --quarantine true`.");
  const registry = await agnes.tables();
  await registry.register({ source: "exports", sourceTable: "j", quarantine: true });
  await registry.update("exports.t", { quarantine: true });
  const then = await hints();
  expect([...then.keys()].sort()).toEqual(["k", "t"]);
  expect(then.get("k")).toContain("agnes table update exports.k --quarantine true");
  // Its only row does not fit, so no other command helps.
  expect(then.get("t")).not.toContain("--quarantine true");
});
