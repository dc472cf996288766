import { expect, test } from "bun:test";
import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";

import { createAgnes } from "agnes";

import files from "../../plugins/files/plugin.ts";
import { makeFolder } from "./support.ts";

/**
 * Syncs a source twice in a folder that is also the workspace, and returns the results of its tables.
 * @param linked folders of the workspace that are links to folders of it. Default: none
 */
async function results(
  options: Readonly<Record<string, unknown>>,
  written: readonly string[],
  linked: Readonly<Record<string, string>> = {},
): Promise<Readonly<Record<string, string>>> {
  await using folder = await makeFolder();
  await folder.write("agnes.yaml", "version: 1\n");
  for (const name of written) await folder.write(name, "id\n1\n");
  for (const [link, target] of Object.entries(linked)) {
    await mkdir(join(folder.path, target));
    await symlink(join(folder.path, target), join(folder.path, link));
  }
  await using agnes = await createAgnes({
    workspace: folder.path,
    plugins: [files],
    config: { version: 1, sources: { here: { plugin: "files", options } } },
  });
  await agnes.sync();
  const { sources } = await agnes.sync();
  return Object.fromEntries(sources[0]!.stats!.tables.map(({ name, status }) => [name, status]));
}

test("discover() ignores the tables and the state that the workspace stores", async () => {
  const tables = ["orders.csv", "events/a.csv"];
  const isUnchanged = { orders: "unchanged", events: "unchanged" };
  expect(await results({ path: "." }, tables)).toEqual(isUnchanged);
  expect(await results({ path: "**/*.csv" }, tables)).toEqual({ orders: "unchanged", a: "unchanged" });
  expect(await results({ path: ".", format: "csv" }, tables)).toEqual(isUnchanged);
});

test("discover() lists the files of users in the data folder of the workspace", async () => {
  expect(await results({ path: "data" }, ["data/orders.csv", "data/own/a.csv"])).toEqual({
    orders: "unchanged",
    own: "unchanged",
  });
  expect(await results({ path: "." }, ["data/orders.csv"])).toEqual({ data: "unchanged" });
});

test("discover() ignores stored tables at the end of a link", async () => {
  expect(await results({ path: "." }, ["orders.csv", "data/a.csv"], { "data/extracts": "large" })).toEqual({
    orders: "unchanged",
    data: "unchanged",
  });
  expect(await results({ path: "." }, ["orders.csv"], { data: "large" })).toEqual({ orders: "unchanged" });
});
