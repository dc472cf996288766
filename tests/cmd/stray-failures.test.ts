import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { runCli, temporaryDirectory } from "./run-cli.ts";

const SECRET = "S3cr3t-Value-42";
const env = { LEAK_TOKEN: SECRET };
const folder = temporaryDirectory();

/** What each table does beside giving its row. */
const READS = {
  exits: "process.exit(0);",
  rejects: "Promise.reject(new Error(`GET https://x/?a=${token} failed`)); await pause();",
  throws: "setTimeout(() => { throw new Error(`timer ${token}`); }); await pause();",
  circular: "const e = new Error(`round ${token}`); e.cause = e; Promise.reject(e); await pause();",
  prints:
    "console.log(`log ${token}`); console.error('error', { token }); console.dir({ a: { token } }); console.table([{ token }]); console.write(token); process.emitWarning(`warned ${token}`);",
};

beforeAll(async () => {
  mkdirSync(join(folder.path, "plugins"));
  writeFileSync(
    join(folder.path, "plugins", "stray.ts"),
    `import { definePlugin, int64, table } from "agnes/kit";
     import * as v from "valibot";
     const pause = () => new Promise((resolve) => setTimeout(resolve, 50));
     export default definePlugin({
       name: "stray", version: "1.0.0", description: "x", capabilities: ["discover", "read"],
       options: v.strictObject({}), secrets: { LEAK_TOKEN: { description: "x" } },
       connect: ({ secrets }) => {
         const token = secrets.LEAK_TOKEN.reveal();
         return {
           discover: async () => ${JSON.stringify(Object.keys(READS))}.map((name) => table(name, { id: int64() })),
           async *read({ name }) {
             ${Object.entries(READS)
               .map(([name, code]) => `if (name === "${name}") { ${code} }`)
               .join("\n")}
             yield [{ id: 1 }];
           },
         };
       },
     });`,
  );
  writeFileSync(join(folder.path, "agnes.yaml"), "version: 1\nsources:\n  s: { plugin: stray }\n");
  for (const name of Object.keys(READS)) {
    const { status, stderr } = await runCli(["table", "register", "s", name, "--mode", "remote"], {
      cwd: folder.path,
      env,
    });
    expect([status, stderr]).toEqual([0, expect.anything()]);
  }
  await runCli(["sync"], { cwd: folder.path, env });
});
afterAll(() => folder[Symbol.dispose]());

const query = (table: string, ...flags: readonly string[]) =>
  runCli(["query", `SELECT id FROM ${table}`, "--format", "json", ...flags], { cwd: folder.path, env });

test.each([
  ["rejects", "GET https://x/?a=[redacted] failed"],
  ["throws", "timer [redacted]"],
  ["circular", "round [redacted]"],
])("what a plugin %s beside its read fails the command, with one redacted error", async (table, reason) => {
  const text = await query(table);
  expect(JSON.parse(text.stdout)).toEqual([{ id: 1 }]);
  expect(text.stderr.split("\n")[0]).toBe(`error  source s (plugin stray): unawaited work failed: ${reason}`);
  expect(text.stderr).not.toContain("stray.ts");
  expect(text.status).toBe(1);
  const json = await query(table, "--json", "--quiet");
  const { error } = JSON.parse(json.stderr) as { error: { code: string; details: object } };
  expect(error).toMatchObject({ code: "plugin_failed", details: { plugin: "stray", source: "s", reason } });
  const verbose = await query(table, "--verbose");
  expect(verbose.stderr).toContain("stray.ts");
  expect(text.stderr + json.stderr + verbose.stderr).not.toContain(SECRET);
});

test("a read that calls process.exit is a failure of its plugin", async () => {
  const { status, stdout, stderr } = await query("exits");
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toContain(
    'source s (plugin stray): read of table "exits" failed: it called process.exit(0)',
  );
});

test("a process of its own ends with the status of what failed beside a query", async () => {
  const args = ["query", "SELECT id FROM throws", "--json", "--quiet"];
  const { status, stdout, stderr } = await runCli(args, { cwd: folder.path, env, alone: true });
  expect([status, JSON.parse(stdout)]).toEqual([1, [{ id: 1 }]]);
  expect((JSON.parse(stderr) as { error: { code: string } }).error.code).toBe("plugin_failed");
});

test("what a plugin prints and warns of is redacted", async () => {
  const { stdout, stderr, status } = await query("prints");
  expect(JSON.parse(stdout)).toEqual([{ id: 1 }]);
  expect(stderr).toContain("log [redacted]");
  expect(stderr).toContain("warning  warned [redacted]");
  expect(stderr).not.toContain(SECRET);
  expect(stderr).not.toContain("--trace-warnings");
  expect(status).toBe(0);
});
