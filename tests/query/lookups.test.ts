import { expect, spyOn, test } from "bun:test";
import { promises as fs } from "node:fs";

import { nodeFiles } from "../../lib/base/mod.ts";
import { dataPaths } from "../../lib/workspace/mod.ts";
import { Sandbox } from "../../lib/query/sandbox.ts";
import { published, testServices } from "./published.ts";

const EXT4 = 0xef53;
const NFS = 0x6969;

/** Returns whether the checks of a query block, with extracts on a file system of this type. */
async function blocks(data: string, type: number): Promise<boolean> {
  const files = nodeFiles();
  const services = testServices();
  const sandbox = await Sandbox.open({ ...services, host: { ...services.host, files } }, null);
  const statfs = spyOn(fs, "statfs").mockImplementation((async (path: string) => ({
    type: path.includes("extracts") ? type : EXT4,
  })) as unknown as typeof fs.statfs);
  try {
    await sandbox.attachAnalytics(dataPaths.analytics(data), "");
    return sandbox.lookups !== files;
  } finally {
    statfs.mockRestore();
    await sandbox.close();
  }
}

test("the checks of a query block only when all extracts are on this machine", async () => {
  await using shared = await published();
  expect(await blocks(shared.data, EXT4)).toBe(process.platform === "linux");
  expect(await blocks(shared.data, NFS)).toBe(false);
});
