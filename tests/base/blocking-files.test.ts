import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { blockingFiles, nodeFiles } from "../../lib/base/mod.ts";

test("blockingFiles() looks up paths as nodeFiles() does, and has looked when the call returns", async () => {
  const directory = await mkdtemp(join(tmpdir(), "agnes-blocking-"));
  try {
    const path = (name: string) => join(directory, name);
    await writeFile(path("file"), "text");
    await symlink("file", path("link"));
    await symlink("missing", path("lost"));
    const [blocking, other] = [blockingFiles(), nodeFiles()];
    for (const at of [
      directory,
      path("file"),
      path("link"),
      path("lost"),
      path("missing"),
      path("file/below"),
    ])
      for (const lookup of ["stat", "identify", "realPath"] as const)
        expect(await blocking[lookup](at)).toEqual(await other[lookup](at));
    expect(await blocking.entries(directory)).toEqual(await other.entries(directory));
    expect(await blocking.entries(path("missing"))).toBeNull();
    const failure = await blocking.entries(path("\0")).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "file_failed" });
    const found = blocking.stat(path("file"));
    rmSync(path("file"));
    expect(await found).toMatchObject({ sizeBytes: 4 });
  } finally {
    await rm(directory, { recursive: true });
  }
});
