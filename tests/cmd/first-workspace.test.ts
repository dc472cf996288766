import { expect, test } from "bun:test";

import { typeGuide } from "./guide.ts";
import { runCli, temporaryDirectory } from "./run-cli.ts";

test("docs/guide/first-workspace.md leads from nothing to a joined answer", async () => {
  using own = temporaryDirectory();
  const { status, stdout, stderr } = await typeGuide("first-workspace.md", own.path);
  expect({ status, stderr: status === 0 ? "" : stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toMatch(/^Brno +10\.50\nOslo +7\.25$/m);
});

test("agnes sync says where to look when a new workspace has no tables yet", async () => {
  using own = temporaryDirectory();
  await runCli(["init"], { cwd: own.path });
  const { status, stderr } = await runCli(["sync"], { cwd: own.path });
  expect(status).toBe(0);
  expect(stderr).toContain("exports: the source has no tables: `agnes connector health exports`");
  const health = await runCli(["connector", "health", "exports"], { cwd: own.path });
  expect(health.stdout).toContain(`${own.path}/exports`);
});
