import { expect, test } from "bun:test";
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { nodeFiles } from "../../lib/base/mod.ts";
import { rejection, temporaryDirectory } from "../duckdb/support.ts";

const files = nodeFiles();

test("open() reads at any position, up to the end of the file", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "digits");
  await writeFile(path, "0123456789");
  const file = await files.open(path);
  expect(file.sizeBytes).toBe(10);
  const buffer = new Uint8Array(4);
  for (const [position, text] of [
    [0, "0123"],
    [5, "5678"],
    [8, "89"],
    [10, ""],
  ] as const) {
    for (const read of [await file.read(buffer, position), file.readSync(buffer, position)])
      expect(Buffer.from(buffer.subarray(0, read)).toString()).toBe(text);
  }
  await file.close();
});

test("open() creates a private file whose unwritten bytes are zero, and no file twice", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "new");
  const file = await files.open(path, { create: true });
  await file.write(Buffer.from("end"), 3);
  await file.write(Buffer.from("s"), 0);
  const buffer = new Uint8Array(10);
  expect(file.readSync(buffer, 0)).toBe(6);
  await file.close();
  expect(Buffer.from((await files.read(path))!).toString()).toBe("s\0\0end");
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await rejection(files.open(path, { create: true }))).toMatchObject({
    code: "file_failed",
    details: { operation: "create", path, reason: "EEXIST" },
  });
});

test("open() with resume creates a private file, and keeps what a file has", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "part");
  for (const [position, text] of [
    [0, "one"],
    [2, "2two"],
  ] as const) {
    const file = await files.open(path, { resume: true });
    expect(file.sizeBytes).toBe(position === 0 ? 0 : 3);
    await file.write(Buffer.from(text), position);
    await file.close();
  }
  expect(Buffer.from((await files.read(path))!).toString()).toBe("on2two");
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("open() fails with file_failed for a missing file, and with the path for reads and writes that fail", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "none");
  const failure = (operation: string) => ({ code: "file_failed", details: { operation, path } });
  expect(await rejection(files.open(path))).toMatchObject(failure("open"));
  await writeFile(path, "x");
  const file = await files.open(path);
  expect(await rejection(file.write(Buffer.from("y"), 0))).toMatchObject(failure("write"));
  await file.close();
  const folder = await files.open(directory.path);
  expect(await rejection(folder.read(new Uint8Array(1), 0))).toMatchObject({
    code: "file_failed",
    details: { operation: "read", path: directory.path, reason: "EISDIR" },
  });
  expect(() => folder.readSync(new Uint8Array(1), 0)).toThrow("could not read");
  await folder.close();
});

test("makeTemporaryDirectory() creates it in a parent", async () => {
  await using directory = await temporaryDirectory();
  const made = await files.makeTemporaryDirectory("agnes-", { parent: directory.path });
  expect(made.startsWith(join(directory.path, "agnes-"))).toBe(true);
});
