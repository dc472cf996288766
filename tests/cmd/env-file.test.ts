import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { runCli, temporaryDirectory } from "./run-cli.ts";

test("--env-file sets variables for every command, also before its name; the environment has precedence", async () => {
  using directory = temporaryDirectory();
  const cwd = directory.path;
  const has = (name: string) => existsSync(join(cwd, name));
  await runCli(["init", "shop"], { cwd });
  await mkdir(join(cwd, "shop/exports"), { recursive: true });
  await writeFile(join(cwd, "shop/exports/a.csv"), "id\n1\n");
  const env = (data: string) =>
    writeFile(join(cwd, ".env"), `AGNES_WORKSPACE=${cwd}/shop\nAGNES_DATA_DIR="${cwd}/${data}"\nbad\n`);
  await env("first");
  const synced = await runCli(["sync", "--env-file", ".env"], { cwd });
  expect([synced.status, has("first")]).toEqual([0, true]);
  expect(synced.stderr.match(/a line of the env file is ignored/g)).toHaveLength(1);
  const catalog = await runCli(["--env-file", ".env", "catalog", "--json"], { cwd });
  expect(JSON.parse(catalog.stdout)).toMatchObject({ tables: [{ id: "exports.a" }] });
  await env("second");
  const own = { AGNES_DATA_DIR: join(cwd, "third") };
  expect((await runCli(["sync", "--env-file=.env"], { cwd, env: own })).status).toBe(0);
  expect([has("second"), has("third")]).toEqual([false, true]);
});

test("--env-file reports a missing file", async () => {
  const { status, stderr } = await runCli(["doctor", "--env-file", "missing.env"], { cwd: "/" });
  expect([status, stderr]).toEqual([1, expect.stringContaining("missing.env")]);
});
