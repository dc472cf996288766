import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";

import { nodeFiles, type Files } from "../../lib/base/mod.ts";
import type { DownloadFile } from "../../lib/kit/mod.ts";
import { faultyFiles, type FileFault } from "../fakes/faulty-files.ts";
import { CONTENT, contents, folder } from "./downloads.ts";
import { bytesOf, serve } from "./file-server.ts";
import { failureOf, LocalServer, testHttp } from "./local-server.ts";

/** More than is written before it is made durable. */
const LARGE = bytesOf(18_000_000);
/** What the first four blocks of a download have. */
const WRITTEN_BYTES = 4 * 1024 * 1024;

const downloadWith = (fault: FileFault | null, file: DownloadFile, directory?: string) => {
  const files: Files = fault === null ? nodeFiles() : faultyFiles(nodeFiles(), fault);
  return contents(testHttp({ files }).http, [file], directory === undefined ? {} : { directory });
};

describe("Http.download() on a failing disk", () => {
  const cases: readonly { readonly fault: FileFault; readonly error: object }[] = [
    {
      fault: { at: 5, operations: ["append"], stays: true },
      error: { code: "disk_full" },
    },
    {
      fault: { at: 5, operations: ["append"], stays: true, code: "EIO" },
      error: { code: "file_failed", details: { operation: "append", reason: "EIO" } },
    },
    {
      fault: { at: 2, operations: ["rename"], stays: true, code: "EACCES" },
      error: { code: "file_failed", details: { operation: "rename", reason: "EACCES" } },
    },
    {
      fault: { at: 2, operations: ["write"], stays: true },
      error: { code: "disk_full" },
    },
  ];
  for (const { fault, error } of cases) {
    const title = `${fault.operations!.join()} with ${fault.code ?? "ENOSPC"}`;
    test(`download() names the file after a failed ${title}, and resumes the durable part`, async () => {
      await using directory = await folder();
      await using server = await LocalServer.start(serve({ content: LARGE, etag: '"a"' }));
      const file = { url: `${server.origin}/f`, key: "export 7" };
      const failure = await failureOf(downloadWith(fault, file, directory.path));
      expect(failure).toMatchObject(error);
      expect((failure as Error).message).toContain(directory.path);

      const [content] = await downloadWith(null, file, directory.path);
      expect(content!.equals(LARGE)).toBe(true);
      const start = Number(/^bytes=(\d+)-$/.exec(String(server.seen.at(-1)!.headers["range"]))![1]);
      expect(start).toBeGreaterThanOrEqual(WRITTEN_BYTES);
    });
  }

  test("download() does not resume bytes whose sync failed, although a later sync succeeds", async () => {
    await using directory = await folder();
    await using server = await LocalServer.start(serve({ content: LARGE, etag: '"a"' }));
    const file = { url: `${server.origin}/f`, key: "export 7" };
    const fault = { at: 1, operations: ["sync"] as const, code: "EIO" };
    expect(await failureOf(downloadWith(fault, file, directory.path))).toMatchObject({
      code: "file_failed",
      details: { operation: "sync", reason: "EIO" },
    });
    expect((await downloadWith(null, file, directory.path))[0]!.equals(LARGE)).toBe(true);
    expect(server.seen.at(-1)!.headers["range"]).toBeUndefined();
  });

  test("download() fails if the part cannot be examined, and a later read resumes it", async () => {
    await using directory = await folder();
    await using server = await LocalServer.start(serve({ content: LARGE, etag: '"a"' }));
    const file = { url: `${server.origin}/f`, key: "export 7" };
    await failureOf(downloadWith({ at: 5, operations: ["append"], stays: true }, file, directory.path));
    for (const operation of ["read", "stat"] as const) {
      const fault = { at: 1, operations: [operation], stays: true, code: "EIO" };
      expect(await failureOf(downloadWith(fault, file, directory.path))).toMatchObject({
        code: "file_failed",
        details: { operation, reason: "EIO" },
      });
    }
    expect(server.seen).toHaveLength(1);
    expect((await downloadWith(null, file, directory.path))[0]!.equals(LARGE)).toBe(true);
    expect(server.seen[1]!.headers["range"]).toMatch(/^bytes=[1-9]/);
  });

  test("download() fails before the first request if the free space is not readable", async () => {
    await using directory = await folder();
    await using server = await LocalServer.start(serve({ content: CONTENT }));
    const file = { url: `${server.origin}/f`, sizeBytes: CONTENT.length };
    const fault = { at: 1, operations: ["freeBytes"] as const, code: "EIO" };
    expect(await failureOf(downloadWith(fault, file, directory.path))).toMatchObject({
      code: "file_failed",
      details: { operation: "freeBytes", path: directory.path },
    });
    expect(server.seen).toEqual([]);
  });

  test("download() fails if the file is not readable for its checksum, and keeps it", async () => {
    await using directory = await folder();
    await using server = await LocalServer.start(serve({ content: CONTENT }));
    const value = createHash("sha256").update(CONTENT).digest("hex");
    const file = { url: `${server.origin}/f`, checksum: { algorithm: "sha256", value } } as const;
    const fault = { at: 1, operations: ["readChunks"] as const, code: "EIO" };
    expect(await failureOf(downloadWith(fault, file, directory.path))).toMatchObject({
      code: "file_failed",
      details: { operation: "readChunks", reason: "EIO" },
    });
    expect((await downloadWith(null, file, directory.path))[0]!.equals(CONTENT)).toBe(true);
    expect(server.seen).toHaveLength(1);
  });

  test("download() without a directory fails if no temporary one can be created, and never hides an error", async () => {
    await using server = await LocalServer.start(serve({ content: CONTENT }));
    const file = { url: `${server.origin}/f` };
    const created = { at: 1, operations: ["makeTemporaryDirectory"] as const };
    expect(await failureOf(downloadWith(created, file))).toMatchObject({ code: "disk_full" });
    expect(server.seen).toEqual([]);
    const removed = { at: 1, operations: ["removeDirectory"] as const, code: "EBUSY" };
    expect(await failureOf(downloadWith(removed, file))).toMatchObject({
      details: { operation: "removeDirectory", reason: "EBUSY" },
    });
    await using lost = await LocalServer.start((_seen, response) => void response.writeHead(404).end());
    expect(await failureOf(downloadWith(removed, { url: `${lost.origin}/f` }))).toMatchObject({
      code: "source_refused",
    });
  });

  test("download() with each write operation failing in turn never yields wrong content", async () => {
    await using server = await LocalServer.start(serve({ content: CONTENT, etag: '"a"' }));
    const file = { url: `${server.origin}/f`, key: "export 7" };
    for (let at = 1, isMet = true; isMet; at += 1) {
      await using directory = await folder();
      const files = faultyFiles(nodeFiles(), { at });
      const outcome = await contents(testHttp({ files }).http, [file], { directory: directory.path }).catch(
        (error: unknown) => error,
      );
      isMet = files.count >= at;
      if (isMet) expect(outcome).toMatchObject({ code: "disk_full" });
      expect((await downloadWith(null, file, directory.path))[0]!.equals(CONTENT)).toBe(true);
      // The bytes and their note; no temporary file is left.
      expect(await readdir(directory.path)).toHaveLength(2);
      if (at === 1) expect(isMet).toBe(true);
    }
  });
});
