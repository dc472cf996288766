import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { runCli, temporaryDirectory } from "./run-cli.ts";

const CLOUD = `import { definePlugin, int64, table } from "agnes/kit";
import * as v from "valibot";

export default definePlugin({
  name: "cloud", version: "1.0.0", description: "A cloud", capabilities: ["discover", "read"], options: v.strictObject({}),
  secrets: {},
  connect: () => ({
    discover: async () => [table("a", { id: int64() }, { sourceMetadata: { stage: "in", labels: ["gold"] } })],
    async *read() { yield [{ id: 1 }]; },
  }),
});
`;

test("agnes table show prints the source metadata of a table", async () => {
  using directory = temporaryDirectory();
  const run = (...args: string[]) => runCli(args, { cwd: directory.path });
  mkdirSync(join(directory.path, "plugins"));
  writeFileSync(join(directory.path, "agnes.yaml"), "version: 1\nsources:\n  cloud: { plugin: cloud }\n");
  writeFileSync(join(directory.path, "plugins", "cloud.ts"), CLOUD);
  await run("table", "register", "cloud", "a");
  const { stdout, stderr } = await run("table", "discover", "cloud");
  expect(stdout).toMatch(/^existing .*source_metadata: changed in the source$/m);
  expect(stderr).toContain("registered 0; 1 changed in the source, 0 unchanged, 0 drifted");
  expect((await run("table", "discover", "cloud")).stderr).toContain("registered 0; 1 unchanged, 0 drifted");
  expect((await run("table", "show", "cloud.a")).stdout).toMatch(
    /^source_metadata +\{"stage":"in","labels":\["gold"\]\}$/m,
  );
  const { table } = JSON.parse((await run("table", "show", "cloud.a", "--json")).stdout);
  expect(table.source_metadata).toEqual({ stage: "in", labels: ["gold"] });
});
