import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { typeGuide } from "./guide.ts";
import { runCli, temporaryDirectory } from "./run-cli.ts";

test("docs/guide/first-workspace.md leads from nothing to a joined answer", async () => {
  using own = temporaryDirectory();
  const { status, stdout, stderr } = await typeGuide("first-workspace.md", own.path);
  expect({ status, stderr: status === 0 ? "" : stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toMatch(/^Brno +10\.50\nOslo +7\.25$/m);
});

test("agnes sync names the next step if a new workspace has no tables", async () => {
  using own = temporaryDirectory();
  await runCli(["init"], { cwd: own.path });
  const { status, stderr } = await runCli(["sync"], { cwd: own.path });
  expect(status).toBe(0);
  expect(stderr).toContain(
    "exports: the source has no tables: check it with `agnes connector health exports`",
  );
  const health = await runCli(["connector", "health", "exports"], { cwd: own.path });
  expect(health.stdout).toContain(`${own.path}/exports`);
});

test("the connector in the agnes.yaml of agnes init works when its lines are uncommented", async () => {
  using own = temporaryDirectory();
  const run = (...args: string[]) => runCli(args, { cwd: own.path });
  await run("init");
  const config = join(own.path, "agnes.yaml");
  const text = readFileSync(config, "utf8");
  const command = /`agnes (connector new [^`]+)`/.exec(text)![1]!;
  expect((await run(...command.split(" "))).status).toBe(0);
  const [before, after] = text.split(/(?=^  # customers:)/m);
  writeFileSync(config, before! + after!.replace(/^  # /gm, "  "));
  const { status, stderr } = await run("sync", "customers");
  expect({ status, stderr }).toEqual({
    status: 0,
    stderr: expect.stringContaining("1 table updated"),
  });
});
