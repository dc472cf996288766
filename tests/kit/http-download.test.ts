import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname } from "node:path";
import { gzipSync } from "node:zlib";

import { createHost, nodeFiles, type Host } from "../../lib/base/mod.ts";
import type { DownloadFile, ReadProgress } from "../../lib/kit/mod.ts";
import { CONTENT, contents, folder } from "./downloads.ts";
import { bytesOf, cutting, serve } from "./file-server.ts";
import { failureOf, LocalServer, respondWith, testHttp, type Handler } from "./local-server.ts";

/** A client whose first connection drops after 100,000 bytes. */
const cutOnce = () => testHttp({ fetch: cutting((n) => (n === 1 ? 100_000 : undefined)) });

const rangesOf = (server: LocalServer) =>
  server.seen.map(({ headers }) => [headers["range"], headers["if-range"]]);

describe("Http.download() after a dropped connection", () => {
  test("download() resumes with Range and If-Range of a strong ETag", async () => {
    const file = { content: CONTENT, etag: '"a"' };
    await using server = await LocalServer.start(serve(file));
    const { http, sleeps } = cutOnce();
    expect((await contents(http, [`${server.origin}/f`]))[0]!.equals(CONTENT)).toBe(true);
    expect(rangesOf(server)).toEqual([
      [undefined, undefined],
      ["bytes=100000-", '"a"'],
    ]);
    expect(server.seen[0]!.headers["accept-encoding"]).toBe("identity");
    expect(sleeps).toEqual([375]);
  });

  test("download() resumes with an old Last-Modified, and restarts for a weak ETag", async () => {
    const old = { content: CONTENT, lastModified: "Wed, 31 Dec 2025 23:59:58 GMT" };
    const fresh = { content: CONTENT, etag: 'W/"a"', lastModified: "Thu, 01 Jan 2026 00:00:00 GMT" };
    await using server = await LocalServer.start(serve(old), serve(old), serve(fresh));
    const { http } = testHttp({ fetch: cutting((n) => (n % 2 === 1 ? 100_000 : undefined)) });
    expect((await contents(http, [`${server.origin}/f`]))[0]!.equals(CONTENT)).toBe(true);
    expect((await contents(http, [`${server.origin}/g`]))[0]!.equals(CONTENT)).toBe(true);
    expect(rangesOf(server)).toEqual([
      [undefined, undefined],
      ["bytes=100000-", old.lastModified],
      [undefined, undefined],
      [undefined, undefined],
    ]);
  });

  test("download() restarts if the server has no ranges, and fails without progress", async () => {
    const file = { content: CONTENT, etag: '"a"', ranges: false };
    await using server = await LocalServer.start(serve(file));
    const { http } = cutOnce();
    expect((await contents(http, [`${server.origin}/f`]))[0]!.equals(CONTENT)).toBe(true);

    await using broken = await LocalServer.start(serve(file));
    const lossy = testHttp({ fetch: cutting(() => 100_000) });
    const error = await failureOf(contents(lossy.http, [`${broken.origin}/f`], { retries: 2 }));
    expect(error).toMatchObject({ code: "source_unavailable", details: { attempts: 3 } });
    // The first attempt made progress, so three attempts without progress follow.
    expect(broken.seen.length).toBe(4);
  });

  test("download() restarts if the content changed, with or without support for If-Range", async () => {
    const before = { content: CONTENT, etag: '"a"' };
    const after = { content: bytesOf(300_000, 2), etag: '"b"' };
    for (const ifRange of [true, false]) {
      await using server = await LocalServer.start(serve(before), serve({ ...after, ifRange }));
      const { http } = cutOnce();
      expect((await contents(http, [`${server.origin}/f`]))[0]!.equals(after.content)).toBe(true);
    }
  });

  test("download() does not append a part with a different start, or of a file with a different size", async () => {
    const whole = serve({ content: CONTENT, etag: '"a"' });
    const wrong =
      (range: string): Handler =>
      (_seen, response) =>
        void response.writeHead(206, { "content-range": range, etag: '"a"' }).end(CONTENT.subarray(100_000));
    for (const range of ["bytes 99999-299999/300000", "bytes 100000-300000/300001", "bytes nonsense"]) {
      await using server = await LocalServer.start(whole, wrong(range), whole);
      const { http } = cutOnce();
      expect((await contents(http, [`${server.origin}/f`]))[0]!.equals(CONTENT)).toBe(true);
      expect(rangesOf(server)[2]).toEqual([undefined, undefined]);
    }
  });

  test("download() treats a truncated chunked body as a dropped connection", async () => {
    await using server = await LocalServer.start((_seen, response) => {
      if (server.seen.length > 1) return void response.end(CONTENT);
      response.write(CONTENT.subarray(0, 150_000), () => setImmediate(() => response.destroy()));
    });
    const { http } = testHttp();
    expect((await contents(http, [`${server.origin}/f`]))[0]!.equals(CONTENT)).toBe(true);
    expect(server.seen.length).toBe(2);
  });

  test("download() does not resume encoded bodies, because ranges count different bytes", async () => {
    const file = { content: gzipSync(CONTENT), etag: '"a"', headers: { "content-encoding": "gzip" } };
    await using server = await LocalServer.start(serve(file));
    const { http } = cutOnce();
    expect((await contents(http, [`${server.origin}/f`]))[0]!.equals(CONTENT)).toBe(true);
    expect(rangesOf(server)[1]).toEqual([undefined, undefined]);
  });

  test("download() waits for Retry-After, and requests a new link if the old one is rejected", async () => {
    const file = { content: CONTENT, etag: '"a"' };
    await using server = await LocalServer.start(
      respondWith({}, 429, { "retry-after": "7" }),
      serve(file),
      respondWith({ error: "expired" }, 403),
      serve(file),
      respondWith({ error: "no" }, 403),
    );
    const { http, sleeps } = testHttp({ fetch: cutting((n) => (n === 2 ? 100_000 : undefined)) });
    const asked: boolean[] = [];
    const url = async ({ rejected }: { readonly rejected: boolean }) => {
      asked.push(rejected);
      return `${server.origin}/f?signature=${asked.length}`;
    };
    expect((await contents(http, [{ url }]))[0]!.equals(CONTENT)).toBe(true);
    expect(sleeps[0]).toBe(7250);
    expect(asked).toEqual([false, true]);
    expect(rangesOf(server)[3]).toEqual(["bytes=100000-", '"a"']);

    const error = await failureOf(contents(http, [{ url }]));
    expect(error).toMatchObject({ code: "source_unauthorized" });
    expect(asked).toEqual([false, true, false, true]);
    expect((error as Error).message).not.toContain("signature=");
  });
});

describe("Http.download() verifies the content", () => {
  const md5 = createHash("md5").update(CONTENT).digest("hex");
  const sha256 = createHash("sha256").update(CONTENT).digest("base64");

  test("download() accepts the right size and checksum, also from the headers", async () => {
    await using server = await LocalServer.start(
      serve({ content: Buffer.from("123456789"), headers: { "x-crc": "4waSgw==" } }),
    );
    const { http } = testHttp();
    const crc = (value: string) => ({ algorithm: "crc32c", value }) as const;
    await contents(http, [
      { url: `${server.origin}/a`, sizeBytes: 9, checksum: crc("e3069283") },
      { url: `${server.origin}/b`, checksum: (headers) => crc(headers.get("x-crc")!) },
    ]);
    await using other = await LocalServer.start(serve({ content: CONTENT }));
    await contents(http, [
      { url: `${other.origin}/a`, checksum: { algorithm: "md5", value: md5 } },
      { url: `${other.origin}/b`, checksum: { algorithm: "sha256", value: sha256 } },
    ]);
    expect(server.seen.length + other.seen.length).toBe(4);
  });

  test("download() downloads a file with a wrong checksum once more, then fails and keeps nothing", async () => {
    await using directory = await folder();
    const bad = { content: bytesOf(300_000, 3), etag: '"a"' };
    const request = { directory: directory.path };
    const file = (server: LocalServer) =>
      ({ url: `${server.origin}/f`, key: "f", checksum: { algorithm: "md5", value: md5 } }) as const;
    await using recovers = await LocalServer.start(serve(bad), serve({ content: CONTENT }));
    const { http } = testHttp();
    expect((await contents(http, [file(recovers)], request))[0]!.equals(CONTENT)).toBe(true);

    await using stays = await LocalServer.start(serve(bad));
    const other = { ...file(stays), key: "g" };
    const error = await failureOf(contents(http, [other], request));
    expect(error).toMatchObject({ code: "source_answer_invalid" });
    expect((error as Error).message).toContain(`md5 checksum ${md5}`);
    expect(stays.seen.length).toBe(2);
    await failureOf(
      contents(http, [{ ...other, checksum: (): undefined => undefined }], request).then(() =>
        Promise.reject(new Error("fetched")),
      ),
    );
    expect(stays.seen.at(-1)!.headers["if-none-match"]).toBeUndefined();
  });

  test("download() fails for a different size, and for an invalid checksum", async () => {
    await using server = await LocalServer.start(serve({ content: CONTENT }));
    const { http } = testHttp();
    const url = `${server.origin}/f`;
    const error = await failureOf(contents(http, [{ url, sizeBytes: 299_999 }]));
    expect(error).toMatchObject({ code: "source_answer_invalid" });
    expect((error as Error).message).toContain("300000 bytes or more, not 299999");
    expect(await failureOf(contents(http, [{ url, sizeBytes: 300_001 }]))).toMatchObject({
      code: "source_answer_invalid",
    });
    for (const value of ["abc", `${md5}0`, "not base64!!"]) {
      const wrong = await failureOf(contents(http, [{ url, checksum: { algorithm: "md5", value } }]));
      expect(wrong).toMatchObject({ code: "invalid_input" });
    }
    expect(server.seen.length).toBe(2);
  });

  test("download() checks disk space before the first byte, for all files of known size and for each", async () => {
    await using directory = await folder();
    await using server = await LocalServer.start(serve({ content: CONTENT }));
    const files: Host["files"] = { ...nodeFiles(), freeBytes: async () => 500_000 };
    const { http } = testHttp({ files });
    const request = { directory: directory.path };
    const url = `${server.origin}/f`;
    const sized = [1, 2].map((n) => ({ url, key: `${n}`, sizeBytes: 300_000 }));
    const error = await failureOf(contents(http, sized, request));
    expect(error).toMatchObject({ code: "disk_full", details: { neededBytes: 600_000, freeBytes: 500_000 } });
    expect(server.seen.length).toBe(0);

    const none = testHttp({ files: { ...files, freeBytes: async () => 1000 } });
    expect(await failureOf(contents(none.http, [url], request))).toMatchObject({
      code: "disk_full",
      details: { neededBytes: 300_000, freeBytes: 1000 },
    });
    const unknown = testHttp({ files: { ...files, freeBytes: async () => null } });
    expect(await contents(unknown.http, [url], request)).toHaveLength(1);
    expect(await createHost().files.freeBytes(directory.path)).toBeGreaterThan(0);
  });
});

describe("Http.download() of several files", () => {
  test("download() yields files in order, respects the concurrency limit, and reports progress", async () => {
    const held: (() => void)[] = [];
    let most = 0;
    await using server = await LocalServer.start(({ path }, response) => {
      held.push(() => response.end(path));
      most = Math.max(most, held.length);
      // The last one responds first, so that files end out of order, and an extra request would be noticed.
      if (held.length < 3 && server.seen.length < 7) return;
      setTimeout(() => {
        for (const end of held.splice(0).reverse()) end();
      }, 20);
    });
    const { http } = testHttp();
    const phases: string[] = [];
    const files = Array.from({ length: 7 }, (_, at) => `${server.origin}/${at}`);
    const onProgress = (progress: ReadProgress) => {
      phases.push(progress.phase!);
      expect(progress).not.toHaveProperty("totalBytes");
    };
    const found: string[] = [];
    for await (const { data } of http.download(files, { format: "csv", concurrency: 3, onProgress })) {
      found.push(readFileSync(data as string, "utf8"));
    }
    expect(found).toEqual(["/0", "/1", "/2", "/3", "/4", "/5", "/6"]);
    expect(most).toBe(3);
    expect(phases[0]).toBe("downloading 1 of 7");
    expect(phases.filter((phase) => !/^downloading [1-7] of 7$/.test(phase))).toEqual([]);
  });

  test("download() reports the total bytes if each file has a size", async () => {
    await using server = await LocalServer.start(serve({ content: CONTENT }));
    const { http } = testHttp();
    const totalsOf = async (files: readonly DownloadFile[]) => {
      const totals = new Set<number | undefined>();
      const onProgress = ({ totalBytes }: ReadProgress) => void totals.add(totalBytes);
      for await (const _ of http.download(files, { format: "csv", onProgress }));
      return [...totals];
    };
    const sized = ["1", "2"].map((key) => ({ url: `${server.origin}/${key}`, sizeBytes: CONTENT.length }));
    expect(await totalsOf(sized)).toEqual([2 * CONTENT.length]);
    expect(await totalsOf([...sized, { url: `${server.origin}/3` }])).toEqual([undefined]);
  });

  test("download() accepts an asynchronous list, and rejects two files with one key", async () => {
    await using server = await LocalServer.start(serve({ content: CONTENT }));
    const { http } = testHttp();
    async function* listed() {
      yield `${server.origin}/1`;
      yield { url: `${server.origin}/2`, origin: "two", constants: { day: "2026-01-01" } };
    }
    const chunks = [];
    for await (const chunk of http.download(listed(), { format: "parquet", compression: "auto" }))
      chunks.push(chunk);
    expect(
      chunks.map(({ format, origin, constants, compression }) => [format, origin, constants, compression]),
    ).toEqual([
      ["parquet", undefined, undefined, "auto"],
      ["parquet", "two", { day: "2026-01-01" }, "auto"],
    ]);
    const same = [1, 2].map(() => ({ url: `${server.origin}/1`, key: "k" }));
    expect(await failureOf(contents(http, same))).toMatchObject({ code: "invalid_input" });
  });

  test("download() stops the other files if one fails or the consumer stops, and removes its temporary folder", async () => {
    await using server = await LocalServer.start(({ path }, response, request) => {
      if (path === "/bad") return void response.writeHead(404).end();
      response.writeHead(200, { "content-length": "300000" });
      response.write(CONTENT.subarray(0, path === "/first" ? 300_000 : 10));
      request.socket.on("close", () => closed());
    });
    let closed = () => {};
    const { http } = testHttp();
    const slow = new Promise<void>((resolve) => (closed = resolve));
    expect(await failureOf(contents(http, [`${server.origin}/bad`, `${server.origin}/slow`]))).toMatchObject({
      code: "source_refused",
      details: { status: 404 },
    });
    await slow;
    let path = "";
    for await (const { data } of http.download([`${server.origin}/first`, `${server.origin}/slow`], {
      format: "csv",
    })) {
      path = data as string;
      break;
    }
    expect(await readdir(dirname(path)).catch(() => "gone")).toBe("gone");
  });

  test("download() detects gzip and zstd by their first bytes, independent of the URL", async () => {
    const bodies = [
      gzipSync("a,b\n"),
      Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0]),
      Buffer.from("a,b\n"),
      Buffer.alloc(0),
    ];
    await using server = await LocalServer.start(...bodies.map((content) => serve({ content })));
    const { http } = testHttp();
    const found: unknown[] = [];
    const files = bodies.map((_, at) => `${server.origin}/${at}.csv`);
    for await (const { compression } of http.download(files, { format: "csv", concurrency: 1 }))
      found.push(compression);
    expect(found).toEqual(["gzip", "zstd", "none", "none"]);
  });
});
