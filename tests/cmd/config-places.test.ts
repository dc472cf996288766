import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { runCli, temporaryDirectory } from "./run-cli.ts";

test("agnes sync and doctor name the line of a setting that the plugin refuses", async () => {
  using directory = temporaryDirectory();
  const cwd = directory.path;
  const sources = (lines: string) => writeFile(join(cwd, "agnes.yaml"), `version: 1\nsources:\n${lines}`);
  const cases = [
    [
      "  crm:\n    plugin: files\n    options:\n      pth: ./x\n",
      /agnes\.yaml:6:7: sources\.crm\.options: unknown key "pth"[^]*Did you mean "path"/,
    ],
    ["  crm:\n    plugin: fils\n", /agnes\.yaml:4:5: there is no plugin "fils"[^]*"files"/],
    [
      "  crm:\n    plugin: files\n    options: { path: . }\n    secrets:\n      NO: NO\n",
      /agnes\.yaml:7:7: sources\.crm\.secrets: unknown key "NO"/,
    ],
  ] as const;
  for (const [yaml, message] of cases) {
    await sources(yaml);
    expect((await runCli(["sync"], { cwd })).stderr).toMatch(message);
  }
  await sources(cases[0][0]);
  const { stdout, stderr } = await runCli(["doctor"], { cwd });
  expect(stdout + stderr).toMatch(/agnes\.yaml:6:7: sources\.crm\.options: unknown key "pth"/);
});
