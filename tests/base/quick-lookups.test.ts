import { expect, spyOn, test } from "bun:test";
import { promises as fs } from "node:fs";

import { nodeFiles, quickLookups } from "../../lib/base/mod.ts";

const EXT4 = 0xef53;
const NFS = 0x6969;

/** Returns whether lookups block, with file systems of these types by directory. */
async function blocks(types: Readonly<Record<string, number>>, files = nodeFiles()): Promise<boolean> {
  const statfs = spyOn(fs, "statfs").mockImplementation((async (path: string) => {
    const type = types[path];
    if (type === undefined) throw Object.assign(new Error("it does not exist"), { code: "ENOENT" });
    return { type };
  }) as unknown as typeof fs.statfs);
  try {
    return (await quickLookups(files, Object.keys(types))) !== files;
  } finally {
    statfs.mockRestore();
  }
}

/** Other systems do not state which disks are of this machine. */
const IS_KNOWN = process.platform === "linux";

test("lookups block on disks of this machine only", async () => {
  expect(await blocks({ "/data": EXT4 })).toBe(IS_KNOWN);
  expect(await blocks({ "/data": EXT4, "/data/extracts/shop": NFS })).toBe(false);
  expect(await blocks({ "/data": EXT4, "/gone": undefined as unknown as number })).toBe(false);
});

test("lookups of other files than the real ones are kept", async () => {
  expect(await blocks({ "/data": EXT4 }, { ...nodeFiles() })).toBe(false);
});

test("quick lookups find what the others find", async () => {
  const files = nodeFiles();
  const quick = await quickLookups(files, [import.meta.dir]);
  for (const path of [import.meta.path, import.meta.dir, `${import.meta.dir}/gone`]) {
    expect(await quick.stat(path)).toEqual(await files.stat(path));
    expect(await quick.identify(path)).toEqual(await files.identify(path));
    expect(await quick.realPath(path)).toEqual(await files.realPath(path));
  }
  expect(await quick.entries(import.meta.dir)).toEqual(await files.entries(import.meta.dir));
});
