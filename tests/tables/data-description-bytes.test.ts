import { expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { parseDataDescription } from "../../lib/tables/mod.ts";

const golden = join(import.meta.dir, "data-description.golden.txt");

async function described(args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  const script = join(import.meta.dir, "write-description.ts");
  const child = Bun.spawn([process.execPath, script, ...args], { env, stdout: "pipe", stderr: "inherit" });
  const text = await new Response(child.stdout).text();
  expect(await child.exited).toBe(0);
  return text;
}

test("renderDataDescription() returns the same bytes in any process, locale, time zone, storage and order", async () => {
  const directory = await mkdtemp(join(tmpdir(), "agnes-tables-"));
  try {
    const expected = await readFile(golden, "utf8");
    expect(await described([], { LC_ALL: "C", TZ: "UTC" })).toBe(expected);
    const elsewhere = { LC_ALL: "tr_TR.UTF-8", LANG: "tr_TR.UTF-8", TZ: "Asia/Tokyo" };
    expect(await described(["backwards", directory], elsewhere)).toBe(expected);
    expect(expected).not.toMatch(/[\u2028\u2029]/);
    expect(parseDataDescription(expected, { path: golden }).tables).toHaveLength(3);
  } finally {
    await rm(directory, { recursive: true });
  }
});
