import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { runOnTerminal } from "./run-on-terminal.ts";
import { runCli, temporaryDirectory } from "./run-cli.ts";

test("lists of tables leave columns out on a terminal of 80 columns, also for long names", async () => {
  using directory = temporaryDirectory();
  const cwd = directory.path;
  const name = "subscription_invoices_monthly";
  mkdirSync(join(cwd, "exports"));
  writeFileSync(join(cwd, `exports/${name}.csv`), "id\n1\n");
  writeFileSync(join(cwd, "exports/orders.csv"), "id\n1\n");
  const source = "shop: { plugin: files, options: { path: exports } }";
  writeFileSync(join(cwd, "agnes.yaml"), `version: 1\nsources:\n  ${source}\n`);
  expect((await runCli(["sync"], { cwd })).status).toBe(0);
  const titles = {
    catalog: ["table", "rows", "extracted", "status"],
    "table list": ["table", "view", "key", "schedule"],
    "table discover": ["state", "source", "table", "note"],
    timeline: ["when", "of", "summary"],
  };
  for (const [command, expected] of Object.entries(titles)) {
    const { text } = await runOnTerminal(command.split(" "), { cwd, columns: 80, env: { NO_COLOR: "1" } });
    const [head, rule, ...rest] = text.replaceAll("\r", "").split("\n");
    expect([command, head!.split(/ {2,}/), /^[─ ]+$/.test(rule!)]).toEqual([command, expected, true]);
    expect(rest.join("\n")).toContain("A wider terminal, or --json, also shows: ");
    expect([head, rule, ...rest.slice(0, 2)].every((line) => Bun.stringWidth(line!) <= 80)).toBe(true);
  }
});
