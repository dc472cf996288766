import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { fileStorage, memoryStorage, type LogEntry } from "agnes/catalog";

import { entryOf } from "../../lib/testing/storage-contract-store.ts";
import { storageContract } from "../../lib/testing/storage-contract.ts";

describe("memoryStorage()", () => {
  const storage = memoryStorage();
  for (const one of storageContract({ open: () => storage })) test(one.name, () => one.run());
});

test("memoryStorage() keeps entries that another handle indexed during a rebuild", async () => {
  const schema = { rowKey: ["id"], indexKeys: ["group"] };
  const store = await memoryStorage().open("things", schema);
  const write = async (entry: LogEntry) => {
    await store.append(entry);
    await store.apply([entry]);
  };
  const first = entryOf(1, [["a", null, { id: "a", group: "x" }]]);
  await write(first);
  async function* logWhileOthersWrite() {
    yield [first];
    await write(entryOf(2, [["b", null, { id: "b", group: "x" }]]));
  }
  await store.rebuild(logWhileOthersWrite());
  const found = await store.find({ where: [{ field: "group", value: "x" }], range: {} });
  expect(found.map(({ key }) => key)).toEqual(["a", "b"]);
});

describe("fileStorage()", () => {
  const directory = mkdtempSync(join(tmpdir(), "agnes-storage-"));
  afterAll(() => rm(directory, { recursive: true }));
  for (const one of storageContract({ open: () => fileStorage({ directory }) })) {
    test(one.name, () => one.run());
  }
});
