import { afterAll, beforeEach, expect, test } from "bun:test";
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createAgnes } from "../../lib/create-agnes.ts";
import files from "../../plugins/files/plugin.ts";
import { runCli } from "./run-cli.ts";

interface Check {
  readonly name: string;
  readonly state: string;
  readonly message: string;
  readonly hint?: string;
}

const folders: string[] = [];
let cwd: string;
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), "agnes-doctor-"));
  folders.push(cwd);
  await mkdir(join(cwd, "in"));
  await writeFile(join(cwd, "in", "orders.csv"), "id\n1\n2\n");
  const source = "{ plugin: files, register: all, options: { path: in } }";
  await writeFile(join(cwd, "agnes.yaml"), `version: 1\nsources:\n  shop: ${source}\n`);
});
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

async function doctor() {
  const { status, stdout } = await runCli(["doctor", "--json"], { cwd });
  const { checks } = JSON.parse(stdout) as { checks: readonly Check[] };
  return { status, checks, found: new Map(checks.map((check) => [check.name, check])) };
}

test("agnes doctor does not count what was never checked as ok", async () => {
  const { status, found } = await doctor();
  expect(status).toBe(0);
  expect(found.get("health of shop")).toEqual({
    name: "health of shop",
    state: "unknown",
    message: "it was never checked",
    hint: "`agnes connector health shop` checks it now.",
  });
  expect(await readdir(join(cwd, "data", "state"))).not.toContain("health");
});

test("agnes doctor finds a workspace healthy while another process serves it", async () => {
  await using agnes = await createAgnes({ plugins: [files], workspace: cwd });
  await agnes.sync();
  await (await agnes.tokens()).create({ name: "test", role: "admin" });
  await agnes.startScheduler();
  while ((await agnes.sourceHealth())[0]!.reason === "the last run read it") await Bun.sleep(20);
  const { status, checks, found } = await doctor();
  expect(status).toBe(0);
  expect(checks.filter(({ state }) => state === "error" || state === "unknown")).toEqual([]);
  for (const name of ["sync state", "runs", "source health", "tokens", "profiles", "health of shop"])
    expect([name, found.get(name)?.state]).toEqual([name, "ok"]);
});

test("agnes doctor names the damaged file of each catalog, and what to do", async () => {
  {
    await using agnes = await createAgnes({ plugins: [files], workspace: cwd });
    await agnes.sync();
    await (await agnes.tokens()).create({ name: "test", role: "admin" });
  }
  const state = join(cwd, "data", "state");
  for (const folder of ["sync", "runs", "health", "tokens"]) {
    const log = join(state, folder, "log");
    for (const entry of await readdir(log, { recursive: true, withFileTypes: true }))
      if (entry.isFile()) await writeFile(join(entry.parentPath, entry.name), "damaged\n");
  }
  const [profile] = await readdir(join(cwd, "data", "profiles", "shop", "orders"));
  await writeFile(join(cwd, "data", "profiles", "shop", "orders", profile!), "{}x");
  const { status, found } = await doctor();
  expect(status).toBe(1);
  for (const [name, folder] of [
    ["sync state", "sync"],
    ["runs", "runs"],
    ["source health", "health"],
    ["tokens", "tokens"],
  ] as const) {
    expect(found.get(name)).toMatchObject({
      state: "error",
      message: expect.stringContaining(join(state, folder, "log")),
      hint: expect.stringContaining(`move ${join(state, folder)} away`),
    });
  }
  expect(found.get("syncs")!.state).toBe("unknown");
  expect(found.get("health of the sources")!.state).toBe("unknown");
  expect(found.get("profiles")).toMatchObject({
    state: "warning",
    message: expect.stringContaining("profiles/shop/orders"),
  });
});

test("agnes doctor names a source whose health check failed, and since when", async () => {
  await runCli(["sync"], { cwd });
  await rename(join(cwd, "in"), join(cwd, "moved"));
  const skipped = await runCli(["sync"], { cwd });
  expect([skipped.status, skipped.stderr]).toEqual([1, expect.stringContaining("1 source skipped")]);
  const { status, found } = await doctor();
  expect(status).toBe(1);
  expect(found.get("health of shop")).toMatchObject({
    state: "error",
    message: expect.stringMatching(
      /^it failed, first at \d{4}-\S+Z, last at \d{4}-\S+Z: there is no file to read at.*agnes\.yaml\.$/,
    ),
    hint: "`agnes connector health shop` checks it now.",
  });
});

test("agnes connector health keeps what it found, so that agnes doctor is right after it", async () => {
  const health = async () => (await doctor()).found.get("health of shop");
  await rename(join(cwd, "in"), join(cwd, "moved"));
  const failed = await runCli(["connector", "health", "shop"], { cwd });
  expect([failed.status, failed.stdout]).toEqual([
    1,
    expect.stringMatching(/there is no file to read at.*\. Check the path in agnes\.yaml;/),
  ]);
  expect(await health()).toMatchObject({
    state: "error",
    message: expect.stringContaining("there is no file to read at"),
  });
  await rename(join(cwd, "moved"), join(cwd, "in"));
  expect((await runCli(["connector", "health", "shop"], { cwd })).status).toBe(0);
  expect(await health()).toMatchObject({ state: "ok" });
});

test("agnes doctor does not count a sync of a table that does not exist, and still shows the failure before it", async () => {
  const lastRun = async () => (await doctor()).found.get("last run of shop");
  expect((await runCli(["sync", "shop.none"], { cwd })).status).toBe(2);
  expect(await lastRun()).toBeUndefined();
  await writeFile(join(cwd, "in", "orders.csv"), "id,n\n1,2\n1\n");
  expect((await runCli(["sync", "--full"], { cwd })).status).toBe(1);
  expect((await runCli(["sync", "shop.none"], { cwd })).status).toBe(2);
  expect(await lastRun()).toMatchObject({ state: "error" });
});

test("agnes doctor shows the failed first run of a source, with its code and the next command", async () => {
  const options = `{ command: [${JSON.stringify(process.execPath)}, "-e", "process.exit(3)"] }`;
  await writeFile(
    join(cwd, "agnes.yaml"),
    `version: 1\nsources:\n  prices: { plugin: program, options: ${options} }\n`,
  );
  expect((await runCli(["sync"], { cwd })).status).not.toBe(0);
  const { status, found } = await doctor();
  expect(status).toBe(1);
  expect(found.get("last run of prices")).toMatchObject({
    state: "error",
    message: expect.stringMatching(/^it failed at \d{4}-.*\(program\/program_failed\)$/),
    hint: expect.stringMatching(/`agnes runs [0-9a-z]{15}` shows it\.$/),
  });
});
