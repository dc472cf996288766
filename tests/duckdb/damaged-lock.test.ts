import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { isAgnesError, nodeFiles } from "../../lib/base/mod.ts";
import { acquireLock } from "../../lib/duckdb/mod.ts";

test("acquireLock() names a file that cannot be a lock, and works after its removal", async () => {
  const folder = mkdtempSync(join(tmpdir(), "agnes-lock-"));
  const path = join(folder, "shop.lock");
  const acquired = async () => {
    await (await acquireLock(nodeFiles(), path, "source shop"))[Symbol.asyncDispose]();
    return "acquired";
  };
  try {
    expect(await acquired()).toBe("acquired");
    const whole = readFileSync(path);
    const flipped = Buffer.from(whole).fill(0xff, 20, 28);
    for (const [damage, reason] of [
      [() => writeFileSync(path, ""), "it is not a file of Agnes"],
      [() => writeFileSync(path, Buffer.alloc(20_000, 7)), "it is not a file of Agnes"],
      [() => writeFileSync(path, flipped), "it is not a file of Agnes"],
      [() => writeFileSync(path, whole.subarray(0, 100)), "it is not complete"],
      [() => writeFileSync(path, whole.subarray(0, 12_000)), "it is not complete"],
      [() => mkdirSync(path), "it is a folder"],
    ] as const) {
      rmSync(path, { recursive: true, force: true });
      damage();
      const error = await acquired().catch((thrown: unknown) => thrown);
      if (!isAgnesError(error, "lock_damaged")) throw error;
      expect(error.message).toBe(`the lock file of source shop is damaged: ${path}: ${reason}`);
      expect(error.hint).toContain("remove the file");
    }
    rmSync(path, { recursive: true });
    expect(await acquired()).toBe("acquired");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
