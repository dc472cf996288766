import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { runCli, temporaryDirectory } from "./run-cli.ts";

const NEEDY = `import { definePlugin, int64, table } from "agnes/kit";
import * as v from "valibot";

export default definePlugin({
  name: "needy", version: "1.0.0", description: "x", capabilities: ["discover"], options: v.strictObject({}),
  secrets: { NEEDY_TOKEN: { description: "a token", required: true } },
  connect: () => ({ discover: async () => [table("a", { id: int64() })] }),
});
`;

test("agnes connector test reports a missing secret once, with the name of the source", async () => {
  using directory = temporaryDirectory();
  const cwd = directory.path;
  mkdirSync(join(cwd, "plugins"));
  writeFileSync(join(cwd, "plugins", "needy.ts"), NEEDY);
  writeFileSync(join(cwd, "agnes.yaml"), "version: 1\nsources:\n  crm: { plugin: needy }\n");
  for (const name of ["crm", "needy"]) {
    const { status, stdout, stderr } = await runCli(["connector", "test", name], { cwd });
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(`source ${name} needs a secret that is not in the environment: NEEDY_TOKEN`);
    expect(stderr).toContain(" hint  Set NEEDY_TOKEN in the environment");
  }
  const env = { NEEDY_TOKEN: "s3cret-value" };
  expect((await runCli(["connector", "test", "crm"], { cwd, env })).status).toBe(0);
});

test("agnes connector test passes the secrets that agnes.yaml names to a program", async () => {
  using directory = temporaryDirectory();
  const cwd = directory.path;
  const script = `[ "$TOKEN" = s3cret-value ] || { echo "no token" >&2; exit 1; }; echo '{"tables": {}}'`;
  const source = {
    plugin: "program",
    options: { command: ["sh", "-c", script] },
    secrets: { TOKEN: "MINE" },
  };
  writeFileSync(join(cwd, "agnes.yaml"), JSON.stringify({ version: 1, sources: { p: source } }));
  const args = ["connector", "test", "p", "--case", "lists the same tables again"];
  const { stdout } = await runCli(args, { cwd, env: { MINE: "s3cret-value" } });
  expect(stdout).not.toContain("no token");
});
