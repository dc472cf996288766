import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createHost, type Files, isAgnesError, nodeFiles, publishFile } from "../../lib/base/mod.ts";

let directory: string;
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "agnes-base-"))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const STEPS = ["makeDirectory", "write", "rename", "sync", "chmod"] as const;

/** Files with one operation that fails like a full disk. */
function failing(step: (typeof STEPS)[number]): Files {
  const full = () => Promise.reject(Object.assign(new Error("no space"), { code: "ENOSPC" }));
  return { ...nodeFiles(), [step]: full };
}

describe("publishFile", () => {
  test("publishFile() replaces a file with mode 0644 and leaves nothing else", async () => {
    const path = join(directory, "a.json");
    writeFileSync(path, "old", { mode: 0o600 });
    await publishFile(createHost(), path, "new");
    expect(readFileSync(path, "utf8")).toBe("new");
    expect(statSync(path).mode & 0o777).toBe(0o644);
    expect(readdirSync(directory)).toEqual(["a.json"]);
  });

  test("publishFile() publishes the output of a function, and nothing if it throws", async () => {
    const path = join(directory, "deep", "a.bin");
    await publishFile(createHost(), path, async (temporary) => writeFileSync(temporary, "bytes"));
    expect(readFileSync(path, "utf8")).toBe("bytes");
    const broken = publishFile(createHost(), path, async (temporary) => {
      writeFileSync(temporary, "half");
      throw new Error("stopped");
    });
    expect(broken).rejects.toThrow("stopped");
    await broken.catch(() => {});
    expect(readFileSync(path, "utf8")).toBe("bytes");
    expect(readdirSync(join(directory, "deep"))).toEqual(["a.bin"]);
  });

  for (const step of STEPS.slice(0, 3)) {
    test(`publishFile() leaves the old file when ${step} fails`, async () => {
      const path = join(directory, "a.json");
      writeFileSync(path, "old");
      const host = createHost({ files: failing(step) });
      await publishFile(host, path, "new").then(
        () => expect.unreachable(),
        (error: unknown) => expect(error).toBeInstanceOf(Error),
      );
      expect(readFileSync(path, "utf8")).toBe("old");
      expect(readdirSync(directory)).toEqual(["a.json"]);
    });
  }
});

describe("nodeFiles", () => {
  const files = nodeFiles();

  test("nodeFiles() returns null for missing files and does not confuse them with failures", async () => {
    expect(await files.read(join(directory, "none"))).toBeNull();
    expect(await files.stat(join(directory, "none"))).toBeNull();
    expect(await files.list(join(directory, "none"))).toBeNull();
    const reading = await files.read(directory).catch((error: unknown) => error);
    expect(isAgnesError(reading, "file_failed")).toBe(true);
  });

  test("nodeFiles().write() does not overwrite unless replace is set", async () => {
    const path = join(directory, "a");
    await files.write(path, "1");
    expect(isAgnesError(await files.write(path, "2").catch((error: unknown) => error), "file_failed")).toBe(
      true,
    );
    await files.write(path, "3", { replace: true });
    expect(readFileSync(path, "utf8")).toBe("3");
  });

  test("nodeFiles().link() returns whether the name was free", async () => {
    const [from, to] = [join(directory, "from"), join(directory, "to")];
    await files.write(from, "x");
    expect(await files.link(from, to)).toBe(true);
    expect(await files.link(from, to)).toBe(false);
  });
});
