import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { EnvFile } from "../../cmd/cli/env-file.ts";
import { runCli, temporaryDirectory } from "./run-cli.ts";

test("--env-file sets variables for every command, also before its name; the environment has precedence", async () => {
  using directory = temporaryDirectory();
  const cwd = directory.path;
  const has = (name: string) => existsSync(join(cwd, name));
  await runCli(["init", "shop"], { cwd });
  await mkdir(join(cwd, "shop/exports"), { recursive: true });
  await writeFile(join(cwd, "shop/exports/a.csv"), "id\n1\n");
  const env = (data: string) =>
    writeFile(join(cwd, ".env"), `AGNES_WORKSPACE=${cwd}/shop\nAGNES_DATA_DIR="${cwd}/${data}"\n`);
  await env("first");
  const synced = await runCli(["sync", "--env-file", ".env"], { cwd });
  expect([synced.status, has("first")]).toEqual([0, true]);
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

test.each([
  ["A=1\n\nhunter2", 3, "it has no `=`"],
  ["# A\nA: hunter2", 2, "it has no `=`"],
  ["1A=hunter2", 1, "a name has only letters"],
  ["=hunter2", 1, "a name has only letters"],
  ["MY TOKEN=hunter2", 1, "a name has only letters"],
  ["A=1\n\u00a0B=hunter2", 2, "a name has only letters"],
  ["export\u00a0A=hunter2", 1, "a name has only letters"],
  ["A='x\ny'\nB=\"hunter2\nC=3", 3, "its quote is not closed"],
  ['A="hunter2\\"', 1, "its quote is not closed"],
  ["A='x' hunter2", 1, "text follows its closing quote"],
])("--env-file rejects %j and names line %p, without its value", async (text, line, reason) => {
  using directory = temporaryDirectory();
  await writeFile(join(directory.path, "bad.env"), text);
  const { status, stdout, stderr } = await runCli(["catalog", "--env-file", "bad.env"], {
    cwd: directory.path,
  });
  expect([status, stdout]).toEqual([2, ""]);
  expect(stderr).toContain(`bad.env:${line} sets no variable: ${reason}`);
  expect(stderr).toContain("env_file_malformed");
  expect(stderr).not.toContain("hunter2");
});

test("--env-file reads quoted values, comments, `export` and empty values", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, ".env");
  const lines = [
    "\ufeffT_A=1",
    "  # a",
    "export T_B=x # b",
    "T_C='a",
    "b=#c' # d",
    "T_D=",
    'T_E="\\" x" ',
    "T_F=it's",
  ];
  await writeFile(path, lines.join("\r\n"));
  const file = new EnvFile(path);
  await file.load();
  const names = ["T_A", "T_B", "T_C", "T_D", "T_E", "T_F"];
  expect(names.map((name) => process.env[name])).toEqual(["1", "x", "a\nb=#c", "", '\\" x', "it's"]);
  await writeFile(path, "");
  await file.load();
  expect(names.filter((name) => process.env[name] !== undefined)).toEqual([]);
});
