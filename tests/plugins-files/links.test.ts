import { afterEach, beforeEach, expect, test } from "bun:test";
import { symlink } from "node:fs/promises";
import { join } from "node:path";

import { makeFolder, type Folder } from "./support.ts";

let folder: Folder;
beforeEach(async () => {
  folder = await makeFolder();
  await folder.write("in/top.csv", "id\n1\n");
  await folder.write("in/d/a.csv", "id\n10\n");
  await folder.write("in/e/a.csv", "id\n20\n");
  await folder.write("in/e/sub/b.csv", "id\n30\n");
});
afterEach(async () => {
  await folder[Symbol.asyncDispose]();
});

const at = (name: string) => join(folder.path, name);

/** The origins of each table's files. */
async function filesOf(options: Record<string, unknown>): Promise<Record<string, readonly string[]>> {
  const source = await folder.connect(options);
  const found: Record<string, readonly string[]> = {};
  for (const [name, table] of await source.tables()) {
    const { chunks } = await source.read(table);
    found[name] = chunks.map(({ origin }) => origin!);
  }
  return found;
}

const OWN = { top: ["top.csv"], d: ["a.csv"], e: ["a.csv", "sub/b.csv"] };

test("discover() does not follow a link to the folder of the source, from any depth and through a chain", async () => {
  await symlink("..", at("in/d/up"));
  await symlink("../..", at("in/e/sub/far"));
  await symlink("far", at("in/e/sub/chain"));
  await symlink(at("in"), at("in/d/absolute"));
  expect(await filesOf({ path: "in" })).toEqual(OWN);
  expect(await filesOf({ path: "in", followLinks: true })).toEqual(OWN);
});

test("discover() creates no table for a link to the folder of the source", async () => {
  await symlink(".", at("in/self"));
  await symlink("../in", at("in/round"));
  await symlink("d/../../in", at("in/chain"));
  expect(await filesOf({ path: "in" })).toEqual(OWN);
  expect(await filesOf({ path: "in/*" })).toEqual(OWN);
});

test("discover() does not follow a link to a parent folder if the path of the source is a link", async () => {
  await symlink("in", at("link"));
  await symlink(at("link"), at("in/d/up"));
  // A parent of the source by its configured path, but beside it on disk.
  await folder.write("elsewhere/f/c.csv", "id\n40\n");
  await symlink("../elsewhere", at("in/x"));
  await symlink("../../in", at("elsewhere/f/back"));
  expect(await filesOf({ path: "link", followLinks: true })).toEqual({ ...OWN, x: ["f/c.csv"] });
});

test("discover() does not follow a link to a parent folder in a glob", async () => {
  await symlink("..", at("in/d/up"));
  const tables = { one: { path: "in/*/*.csv" }, deep: { path: "in/d/**/*.csv" }, all: { path: "in/d/*" } };
  expect(await filesOf({ tables, followLinks: true })).toEqual({
    one: ["d/a.csv", "e/a.csv"],
    deep: ["a.csv"],
    all: ["a.csv"],
  });
});

test("discover() follows links to a folder beside the table, and stops at links to a parent folder", async () => {
  await symlink("../e/sub", at("in/d/beside"));
  await symlink("../../d", at("in/e/sub/back"));
  expect(await filesOf({ path: "in" })).toEqual({
    top: ["top.csv"],
    d: ["a.csv", "beside/b.csv"],
    e: ["a.csv", "sub/b.csv", "sub/back/a.csv"],
  });
});
