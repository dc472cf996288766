import { afterAll, describe, test } from "bun:test";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { fileStorage, memoryStorage } from "agnes/catalog";

import { storageContract } from "../../lib/testing/storage-contract.ts";

describe("memoryStorage()", () => {
  const storage = memoryStorage();
  for (const one of storageContract({ open: () => storage })) test(one.name, () => one.run());
});

describe("fileStorage()", () => {
  const directory = mkdtempSync(join(tmpdir(), "agnes-storage-"));
  afterAll(() => rm(directory, { recursive: true }));
  for (const one of storageContract({ open: () => fileStorage({ directory }) })) {
    test(one.name, () => one.run());
  }
});
