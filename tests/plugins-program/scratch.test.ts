import { expect, test } from "bun:test";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import { createScratch } from "../../plugins/program/scratch.ts";

test("a new folder removes those of killed processes, and no others", async () => {
  const own = await createScratch();
  const [, prefix] = /^(agnes-program-[A-Za-z0-9]*-)\d+-/.exec(basename(own))!;
  const { pid } = Bun.spawnSync(["true"]);
  const left = join(dirname(own), `${prefix}${pid}-abcdef`);
  mkdirSync(left);
  writeFileSync(join(left, "extract.duckdb"), "rows");
  const foreign = join(dirname(own), `agnes-program-otherhost-${pid}-abcdef`);
  mkdirSync(foreign);
  const next = await createScratch();
  expect([left, own, foreign, next].map((path) => existsSync(path))).toEqual([false, true, true, true]);
  for (const path of [own, foreign, next]) rmSync(path, { recursive: true });
});
