import { expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { runCli, temporaryDirectory } from "./run-cli.ts";

test("agnes runs shows the code of a failed run, and its error as an error", async () => {
  using directory = temporaryDirectory();
  const options = `{ command: [${JSON.stringify(process.execPath)}, "-e", "process.exit(7)"] }`;
  await writeFile(
    join(directory.path, "agnes.yaml"),
    `version: 1\nsources:\n  prices: { plugin: program, options: ${options} }\n`,
  );
  const agnes = (...args: string[]) => runCli(args, { cwd: directory.path });
  await agnes("sync");
  const list = await agnes("runs");
  expect(list.stdout).toContain("program/program_failed: the program failed: its exit status is 7");
  const timeline = await agnes("timeline");
  expect(timeline.stdout).toContain(": the program failed: its exit status is 7");
  expect(timeline.stderr).toBe("");
  const [id] = /[0-9a-z]{15}/.exec(list.stdout)!;
  const { status, stderr } = await agnes("runs", id);
  expect(status).toBe(0);
  expect(stderr).toContain("error  prices: the program failed: its exit status is 7");
  expect(stderr).toContain("code  program/program_failed");
  expect(stderr).not.toContain("warning");
});

test("agnes runs counts the runs that were skipped for the same reason", async () => {
  using directory = temporaryDirectory();
  await mkdir(join(directory.path, "plugins"));
  await writeFile(
    join(directory.path, "plugins", "ill.ts"),
    `import { definePlugin } from "agnes/kit";
import * as v from "valibot";
export default definePlugin({
  name: "ill", version: "1.0.0", description: "Never ready", capabilities: ["discover", "read"],
  options: v.strictObject({}), secrets: {},
  connect: () => ({
    discover: async () => [],
    async *read() {},
    health: async () => ({ ok: false, message: "it is closed" }),
  }),
});
`,
  );
  await writeFile(join(directory.path, "agnes.yaml"), "version: 1\nsources:\n  board: { plugin: ill }\n");
  const agnes = (...args: string[]) => runCli(args, { cwd: directory.path });
  await agnes("sync");
  await agnes("sync");
  const list = await agnes("runs");
  expect(list.stdout).toMatch(/skipped, 2 times since 2\S+ .*source_unhealthy/);
  const { runs } = JSON.parse((await agnes("runs", "--json")).stdout) as { runs: object[] };
  expect(runs).toMatchObject([{ status: "skipped", skips: { count: 2 } }]);
});

test("agnes runs counts the tables that a run updated, left unchanged, and failed to read", async () => {
  using directory = temporaryDirectory();
  await mkdir(join(directory.path, "in"));
  const write = (name: string, text: string) => writeFile(join(directory.path, "in", name), text);
  await writeFile(
    join(directory.path, "agnes.yaml"),
    "version: 1\nsources:\n  shop: { plugin: files, options: { path: in } }\n",
  );
  const agnes = (...args: string[]) => runCli(args, { cwd: directory.path });
  for (const name of ["a.csv", "b.csv", "same.csv"]) await write(name, "id\n1\n");
  await write("bad.ndjson", '{"id":1}\n');
  await agnes("sync");
  for (const name of ["a.csv", "b.csv"]) await write(name, "id\n1\n2\n");
  await write("bad.ndjson", '{"id":1');
  expect((await agnes("sync")).status).toBe(3);
  const { stdout } = await agnes("runs");
  expect(stdout).toMatch(
    /partial +2 updated, 1 unchanged, 1 failed\n.*complete +4 updated, 0 unchanged, 0 failed/,
  );
  const [id] = /[0-9a-z]{15}/.exec(stdout)!;
  expect((await agnes("runs", id)).stderr).toContain("2 updated, 1 unchanged, 1 failed");
});

test("agnes runs says that its argument is neither a source nor a run", async () => {
  using directory = temporaryDirectory();
  await writeFile(join(directory.path, "agnes.yaml"), "version: 1\nsources: {}\n");
  const { status, stderr } = await runCli(["runs", "nope123"], { cwd: directory.path });
  expect([status, stderr]).toEqual([
    2,
    expect.stringContaining('"nope123" is neither a source nor the id of a run'),
  ]);
});

test("a paused table is marked by agnes table list, sync and doctor", async () => {
  using directory = temporaryDirectory();
  await mkdir(join(directory.path, "in"));
  for (const name of ["orders", "people"])
    await writeFile(join(directory.path, "in", `${name}.csv`), "id\n1\n");
  await writeFile(
    join(directory.path, "agnes.yaml"),
    "version: 1\nsources:\n  shop: { plugin: files, register: all, options: { path: in } }\n",
  );
  const agnes = (...args: string[]) => runCli(args, { cwd: directory.path });
  expect((await agnes("sync")).stderr).not.toContain("paused");
  await agnes("table", "update", "orders", "--paused", "true", "--schedule", "every 6h");
  expect((await agnes("table", "list")).stdout).toMatch(/shop\.orders .* every 6h, paused/);
  expect((await agnes("sync")).stderr).toContain("1 paused table was left out, such as shop.orders");
  expect((await agnes("sync", "shop.people")).stderr).not.toContain("paused");
  expect((await agnes("doctor")).stdout).toMatch(
    /paused tables +1 table, synced only by name, such as shop\.orders/,
  );
});

test("agnes table folder warns of a bucket that no table has", async () => {
  using directory = temporaryDirectory();
  await writeFile(join(directory.path, "agnes.yaml"), "version: 1\nsources: {}\n");
  const { status, stderr } = await runCli(["table", "folder", "exports", "finance"], { cwd: directory.path });
  expect([status, stderr]).toEqual([
    0,
    expect.stringContaining("no registered table has the bucket exports"),
  ]);
});
