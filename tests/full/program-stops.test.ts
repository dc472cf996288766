import { expect, setDefaultTimeout, test } from "bun:test";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { isAlive, programs, syncOf } from "../plugins-program/support.ts";

setDefaultTimeout(120_000);

test("a program that makes no progress and ignores TERM is killed with its children", async () => {
  await using folder = await programs({});
  const path = join(folder.directory, "pid");
  await using own = await programs({ mode: "silent", path }, { options: { noProgressMinutes: 0.05 } });
  expect((await syncOf(own)).error).toMatchObject({
    code: "program/program_stopped",
    message: expect.stringContaining("wrote nothing"),
  });
  expect(isAlive(Number(await readFile(path, "utf8")))).toBe(false);
});

test("a program ends when its sync is stopped", async () => {
  await using folder = await programs({});
  const path = join(folder.directory, "pid");
  await using own = await programs({ mode: "silent", path });
  const controller = new AbortController();
  const syncing = own.agnes.sync({ signal: controller.signal }).catch((error: unknown) => error);
  while (!existsSync(path) || (await readFile(path, "utf8")) === "") await Bun.sleep(20);
  controller.abort();
  expect(await syncing).toMatchObject({ code: "aborted" });
  await own.agnes.close();
  expect(isAlive(Number(await readFile(path, "utf8")))).toBe(false);
});
