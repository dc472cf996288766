import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { nodeFiles } from "../../lib/base/mod.ts";
import { acquireLock } from "../../lib/duckdb/mod.ts";

const LIBRARY = new URL("../../lib/", import.meta.url).href;

test("acquireLock() holds each of several locks against other processes until it is released", async () => {
  const folder = mkdtempSync(join(tmpdir(), "agnes-lock-"));
  const names = ["a", "b", "c"];
  const acquire = (name: string) => acquireLock(nodeFiles(), join(folder, name), name);
  try {
    const [a, b, c] = await Promise.all(names.map(acquire));
    expect(await freeLocks(folder, names)).toEqual([]);
    await b![Symbol.asyncDispose]();
    expect(await freeLocks(folder, names)).toEqual(["b"]);
    await a![Symbol.asyncDispose]();
    await c![Symbol.asyncDispose]();
    expect(await freeLocks(folder, names)).toEqual(names);
    await using _again = await acquire("a");
    expect(await freeLocks(folder, names)).toEqual(["b", "c"]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("acquireLock() holds a lock once when its folder, or the file itself, has a second path", async () => {
  const folder = mkdtempSync(join(tmpdir(), "agnes-lock-"));
  const acquire = (name: string) => acquireLock(nodeFiles(), join(folder, name), name);
  try {
    mkdirSync(join(folder, "data"));
    symlinkSync("data", join(folder, "other"));
    symlinkSync(join(folder, "data", "a"), join(folder, "link"));
    // The file does not exist at the first time, and does at the second.
    for (let round = 0; round < 2; round++) {
      await using first = await acquire("data/a");
      for (const name of ["other/a", "link"])
        expect(await acquire(name).catch((error: unknown) => error)).toMatchObject({ code: "locked" });
      // Another lock of the same file would have ended this one.
      expect(await freeLocks(folder, ["data/a", "other/a"])).toEqual([]);
      await first[Symbol.asyncDispose]();
      await using _second = await acquire("other/a");
      expect(await acquire("data/a").catch((error: unknown) => error)).toMatchObject({ code: "locked" });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** The locks that another process can acquire. */
async function freeLocks(folder: string, names: readonly string[]): Promise<readonly string[]> {
  const program = `
    import { nodeFiles } from "${LIBRARY}base/mod.ts";
    import { acquireLock } from "${LIBRARY}duckdb/mod.ts";
    for (const name of ${JSON.stringify(names)}) {
      const lock = acquireLock(nodeFiles(), ${JSON.stringify(folder)} + "/" + name, name);
      await lock.then(() => console.log(name), (error) => { if (error.code !== "locked") throw error; });
    }`;
  const child = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe", stderr: "inherit" });
  const text = await new Response(child.stdout).text();
  expect(await child.exited).toBe(0);
  return text.split("\n").filter((line) => line !== "");
}
