import { expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { createHost } from "../../../lib/base/mod.ts";
import { WorkerFolders } from "../../../lib/query/workers/worker-folders.ts";

test("the folder of the workers is created again after it could not be created, and after it was removed", async () => {
  const base = mkdtempSync(join(tmpdir(), "agnes-folders-"));
  try {
    const parent = join(base, "later");
    const folders = new WorkerFolders(createHost(), parent);
    const made = await Promise.allSettled([folders.newFolder(), folders.newPath()]);
    expect(made.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    mkdirSync(parent);
    const first = await folders.newFolder();
    rmSync(dirname(first), { recursive: true });
    const [second, path] = await Promise.all([folders.newFolder(), folders.newPath()]);
    expect(existsSync(second)).toBe(true);
    expect(dirname(path)).toBe(dirname(second));
    await folders.close();
    expect(readdirSync(parent)).toEqual([]);
    await folders.newPath();
    expect(readdirSync(parent)).toEqual([]);
  } finally {
    rmSync(base, { recursive: true });
  }
});

test("only folders of ended processes of this machine are removed", async () => {
  const parent = mkdtempSync(join(tmpdir(), "agnes-folders-"));
  try {
    const kept = `agnes-workers-${hostname()}-999999999-7-abcdef`;
    mkdirSync(join(parent, kept));
    mkdirSync(join(parent, `agnes-workers-${hostname()}-999999999-abcdef`));
    const folders = new WorkerFolders(createHost(), parent);
    await folders.newFolder();
    await folders.close();
    expect(readdirSync(parent)).toEqual([kept]);
  } finally {
    rmSync(parent, { recursive: true });
  }
});
