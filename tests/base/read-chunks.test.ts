import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { readChunks } from "../../lib/base/read-chunks.ts";
import { temporaryDirectory } from "../duckdb/support.ts";

test.each([0, 1, 99, 100, 101, 1_000])("readChunks() yields all of a file of %d bytes", async (length) => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "file");
  const bytes = randomBytes(length);
  await writeFile(path, bytes);
  const chunks: Buffer[] = [];
  for await (const chunk of readChunks(path, 100)) {
    expect(chunk.byteOffset).toBe(0);
    expect(chunk.length).toBeLessThanOrEqual(100);
    chunks.push(Buffer.from(chunk));
  }
  expect(Buffer.concat(chunks)).toEqual(bytes);
});

test("readChunks() closes a file that is not read to its end", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "file");
  await writeFile(path, randomBytes(1_000));
  const open = async () => (await readdir("/proc/self/fd")).length;
  const before = await open();
  for (let round = 0; round < 20; round++) {
    for await (const chunk of readChunks(path, 10)) {
      expect(chunk).toHaveLength(10);
      break;
    }
  }
  expect(await open()).toBeLessThan(before + 10);
});

test("readChunks() fails with the path of a file that cannot be opened or read", async () => {
  await using directory = await temporaryDirectory();
  const read = async (name: string) => {
    for await (const _ of readChunks(join(directory.path, name), 10));
  };
  await mkdir(join(directory.path, "folder"));
  expect(read("none")).rejects.toThrow("none");
  expect(read("folder")).rejects.toThrow("folder");
});
