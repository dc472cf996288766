import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { connectorWarnings } from "../../cmd/workspace/connector-warnings.ts";
import { createLog } from "../../lib/base/mod.ts";
import { runCli, temporaryDirectory } from "./run-cli.ts";

const SECRET = "S3cr3t-Value-42";
const folder = temporaryDirectory();

beforeAll(() => {
  mkdirSync(join(folder.path, "plugins"));
  writeFileSync(
    join(folder.path, "plugins", "warns.ts"),
    `import { definePlugin, int64, table } from "agnes/kit";
     import * as v from "valibot";
     export default definePlugin({
       name: "warns", version: "1.0.0", description: "x", capabilities: ["discover", "read"],
       options: v.strictObject({}), secrets: { WARN_TOKEN: { description: "x" } },
       connect: ({ log, secrets }) => ({
         discover: async () => [table("a", { id: int64() }), table("b", { id: int64() })],
         async *read() {
           log.info("reading");
           log.warn("the report is sampled; token " + secrets.WARN_TOKEN.reveal(), { share: 0.5 });
           yield [{ id: 1 }];
         },
       }),
     });`,
  );
  writeFileSync(join(folder.path, "agnes.yaml"), "version: 1\nsources:\n  s: { plugin: warns }\n");
});
afterAll(() => folder[Symbol.dispose]());

test("agnes sync prints the warnings of connectors once, without secrets, and not with --quiet", async () => {
  const sync = async (...flags: readonly string[]) => {
    const env = { WARN_TOKEN: SECRET };
    const { status, stderr } = await runCli(["sync", "--full", ...flags], { cwd: folder.path, env });
    expect([status, stderr]).toEqual([0, expect.not.stringContaining(SECRET)]);
    return stderr;
  };
  const printed = await sync();
  expect(printed.split("the report is sampled").length).toBe(2);
  expect(printed).toContain("warning  the report is sampled; token [redacted]  source=s  share=0.5");
  expect(printed).not.toContain("reading");
  expect(await sync("--quiet")).not.toContain("sampled");
  expect((await sync("--verbose")).split("the report is sampled").length).toBe(3);
});

test("connectorWarnings() drops other entries and repeated messages", () => {
  const seen: string[] = [];
  const log = connectorWarnings(createLog(({ level, message }) => seen.push(`${level} ${message}`)));
  log.warn("a", { source: "s", row: 1 });
  log.warn("a", { source: "s", row: 2 });
  log.warn("a", { source: "t" });
  log.error("b", { source: "s" });
  log.info("c", { source: "s" });
  log.warn("waiting for the export", { source: "s", waitMs: 5 });
  log.warn("of the library", { table: "x" });
  expect(seen).toEqual(["warn a", "warn a", "error b", "warn waiting for the export"]);
});
