import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { runCli, temporaryDirectory } from "./run-cli.ts";

const workspace = temporaryDirectory();
beforeAll(async () => {
  mkdirSync(join(workspace.path, "exports"));
  writeFileSync(join(workspace.path, "exports/orders.csv"), "id\n1\n");
  const source = "shop: { plugin: files, options: { path: exports } }";
  writeFileSync(join(workspace.path, "agnes.yaml"), `version: 1\nsources:\n  ${source}\n`);
  await runCli(["sync"], { cwd: workspace.path });
  await runCli(["table", "update", "orders", "--bucket", "in.c-crm"], { cwd: workspace.path });
});
afterAll(() => workspace[Symbol.dispose]());

const run = (args: readonly string[], stdin?: string) =>
  runCli(args, { cwd: workspace.path, ...(stdin === undefined ? {} : { stdin }) });

test.each([
  ["connector show nosuch", 'there is no plugin or source "nosuch"', "`agnes connector list` lists"],
  ["connector show shpo", 'there is no plugin or source "shpo"', 'Did you mean "shop"?'],
  ["connector test fles", 'there is no plugin or source "fles"', 'Did you mean "files"?'],
  ["table folder x", 'no registered table has the bucket "x"', "`agnes table folder` lists"],
])("agnes %s is an error with a next command", async (args, reason, next) => {
  const { status, stderr } = await run(args.split(" "));
  expect([status, stderr]).toEqual([2, expect.stringContaining(reason)]);
  expect(stderr).toContain(next);
});

test("agnes table folder shows how to set a folder of a known bucket", async () => {
  expect((await run(["table", "folder"])).stderr).toBe(
    "No bucket has a folder. `agnes table folder BUCKET FOLDER` sets one.\n",
  );
  const { status, stderr } = await run(["table", "folder", "in.c-crm"]);
  expect([status, stderr]).toEqual([
    0,
    "in.c-crm has no folder. `agnes table folder in.c-crm FOLDER` sets one.\n",
  ]);
  // A folder can be set before the first table, and shown then.
  await run(["table", "folder", "in.c-new", "eu"]);
  expect((await run(["table", "folder", "in.c-new"])).stdout).toContain("eu");
});

test.each([
  [["query", "-"], "stdin contains no SQL", "`agnes query - < FILE`"],
  [["query"], "stdin contains no SQL", "`agnes query - < FILE`"],
  [["query", " "], "the SQL is empty", 'agnes query "SELECT 1"'],
  [["push", "orders", "--mode", "append", "--sql", "-"], "stdin contains no SQL", "`--sql -`"],
])("agnes %j without SQL is an error with a next command", async (args, reason, next) => {
  const { status, stderr } = await run(args, " \n");
  expect([status, stderr]).toEqual([2, expect.stringContaining(reason)]);
  expect(stderr).toContain(next);
});
