import { describe, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { fileStorage, memoryStorage } from "agnes/catalog";

import { storageContract } from "../../lib/testing/storage-contract.ts";

describe("memoryStorage()", () => {
  for (const { name, run } of storageContract()) {
    test(name, async () => {
      const storage = memoryStorage();
      await run({ open: () => storage, catalog: "contract" });
    });
  }
});

describe("fileStorage()", () => {
  for (const { name, run } of storageContract()) {
    test(name, async () => {
      const directory = await mkdtemp(join(tmpdir(), "agnes-storage-"));
      try {
        await run({ open: () => fileStorage({ directory }), catalog: "contract" });
      } finally {
        await rm(directory, { recursive: true });
      }
    });
  }
});
