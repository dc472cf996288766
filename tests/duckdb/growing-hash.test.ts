import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { appendFile, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AgnesError, nodeFiles, type Files } from "../../lib/base/mod.ts";
import { GrowingHash } from "../../lib/duckdb/growing-hash.ts";

const CHUNK = new Uint8Array(20 * 1024 * 1024).fill(7);

/** Creates a file as DuckDB does; `writeFile` of Bun makes a large file long before its bytes are in it. */
async function create(path: string, bytes: Uint8Array): Promise<void> {
  await using file = await open(path, "w");
  for (let at = 0; at < bytes.length; at += 1 << 20) await file.write(bytes, at, 1 << 20, at);
}

/** Writes a file in two pieces while it is hashed, the second one after the first was synced. */
async function hashed(
  sync: Files["sync"],
): Promise<{ readonly sha256: string | null; readonly syncs: number }> {
  const folder = await mkdtemp(join(tmpdir(), "agnes-hash-"));
  const path = join(folder, "part");
  let syncs = 0;
  const files: Files = {
    ...nodeFiles(),
    sync(of) {
      syncs += 1;
      return sync(of);
    },
  };
  const hash = new GrowingHash(files, path);
  try {
    await create(path, CHUNK);
    for (let waited = 0; syncs === 0 && waited < 10_000; waited++) await Bun.sleep(1);
    await appendFile(path, "the end");
    return { sha256: await hash.finish(CHUNK.length + 7), syncs };
  } finally {
    await hash.stop();
    await rm(folder, { recursive: true });
  }
}

test("GrowingHash syncs a large file before it is complete", async () => {
  const { sha256, syncs } = await hashed((path) => nodeFiles().sync(path));
  expect(sha256).toBe(createHash("sha256").update(CHUNK).update("the end").digest("hex"));
  expect(syncs).toBe(1);
});

test("GrowingHash fails if an early sync failed, because a later one may succeed", async () => {
  const failing = hashed(async (path) => {
    throw new AgnesError("file_failed", { operation: "sync", path, reason: "EIO" });
  });
  expect(await failing.catch((error: unknown) => (error as AgnesError).code)).toBe("file_failed");
});

test("GrowingHash leaves the sync of a small file to its caller", async () => {
  const folder = await mkdtemp(join(tmpdir(), "agnes-hash-"));
  const path = join(folder, "part");
  const bytes = CHUNK.subarray(0, 8 * 1024 * 1024);
  let syncs = 0;
  const hash = new GrowingHash({ ...nodeFiles(), sync: async () => void (syncs += 1) }, path);
  try {
    await create(path, bytes);
    // It reads them before it is complete.
    await Bun.sleep(200);
    expect(await hash.finish(bytes.length)).toBe(createHash("sha256").update(bytes).digest("hex"));
    expect(syncs).toBe(0);
  } finally {
    await hash.stop();
    await rm(folder, { recursive: true });
  }
});
