import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { deflateRawSync, crc32 } from "node:zlib";

import { decompressed, unzstdInScript } from "../../plugins/files/decompressed.ts";
import { makeFolder, rejection, type Folder } from "./support.ts";

let folder: Folder;
beforeEach(async () => {
  folder = await makeFolder();
});
afterEach(async () => {
  await folder[Symbol.asyncDispose]();
});

const { signal } = new AbortController();
const text = Array.from({ length: 200_000 }, (_, id) => `${(id * 7919) % 100_003}\n`).join("");

async function textOf(path: string): Promise<string> {
  return Buffer.concat(await Array.fromAsync(decompressed(path, { signal }))).toString();
}

/** A gzip member of exactly `sizeBytes`, padded with a file name in its header. */
function memberOf(content: string, sizeBytes: number): Uint8Array {
  const body = deflateRawSync(content);
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc32(content), 0);
  trailer.writeUInt32LE(content.length, 4);
  const header = Buffer.from([0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 255]);
  const name = Buffer.alloc(sizeBytes - header.length - body.length - trailer.length, "x");
  name[name.length - 1] = 0;
  return Buffer.concat([header, name, body, trailer]);
}

describe("files: decompressed()", () => {
  test("decompressed() yields the bytes of plain, .gz and .zst files, also with several members", async () => {
    expect(await textOf(await folder.write("a.csv", text))).toBe(text);
    expect(await textOf(await folder.write("a.csv.gz", Bun.gzipSync(text)))).toBe(text);
    expect(await textOf(await folder.write("a.csv.ZST", Bun.zstdCompressSync(text)))).toBe(text);
    const members = Buffer.concat([Bun.gzipSync("a\n"), Bun.gzipSync(""), Bun.gzipSync("b\n")]);
    expect(await textOf(await folder.write("b.csv.gz", members))).toBe("a\nb\n");
    const frames = Buffer.concat([Bun.zstdCompressSync("a\n"), Bun.zstdCompressSync("b\n")]);
    expect(await textOf(await folder.write("b.csv.zst", frames))).toBe("a\nb\n");
  });

  test("decompressed() continues if a gzip member ends at the end of a chunk", async () => {
    const members = Buffer.concat([memberOf("a\n", 256 * 1024), Bun.gzipSync("b\n")]);
    expect(await textOf(await folder.write("a.csv.gz", members))).toBe("a\nb\n");
    const garbage = Buffer.concat([memberOf("a\n", 256 * 1024), Buffer.from("more")]);
    const failed = await rejection(textOf(await folder.write("b.csv.gz", garbage)));
    expect(failed).toMatchObject({ code: "file_unreadable" });
  });

  test("decompressed() yields nothing for an empty file and a compressed empty one", async () => {
    for (const [name, content] of [
      ["none.csv", ""],
      ["none.csv.gz", ""],
      ["none.csv.zst", ""],
      ["empty.csv.gz", Bun.gzipSync("")],
      ["empty.csv.zst", Bun.zstdCompressSync("")],
    ] as const) {
      expect(await textOf(await folder.write(name, content))).toBe("");
    }
  });

  test("decompressed() stops at the limits and names the limit to raise", async () => {
    const path = await folder.write("a.csv.gz", Bun.gzipSync(text));
    const limits = { maxDecompressedBytes: 100_000, maxCompressionRatio: 1000 };
    const failed = await rejection(Array.fromAsync(decompressed(path, { signal, limits })));
    expect(failed).toMatchObject({
      code: "files/decompression_limit",
      message: expect.stringContaining("a.csv.gz"),
      hint: expect.stringContaining("maxDecompressedBytes"),
    });
  });

  test("decompressed() opens only regular files", async () => {
    execFileSync("mkfifo", [`${folder.path}/pipe.csv`]);
    for (const name of ["pipe.csv", "."]) {
      const failed = await rejection(textOf(`${folder.path}/${name}`));
      expect(failed).toMatchObject({ code: "files/entry_unusable" });
    }
    expect(await rejection(textOf(`${folder.path}/none.csv`))).toMatchObject({
      code: "file_failed",
      details: { reason: "ENOENT" },
    });
  });

  test("decompressed() stops if it is aborted", async () => {
    const path = await folder.write("a.csv.gz", Bun.gzipSync(text));
    const controller = new AbortController();
    const reading = decompressed(path, { signal: controller.signal });
    await reading.next();
    controller.abort();
    expect((await rejection(Array.fromAsync(reading))).name).toBe("AbortError");
  });

  test("unzstdInScript() decompresses like the runtime, and rejects truncated files", async () => {
    const bytes = Buffer.concat([Bun.zstdCompressSync(text), Bun.zstdCompressSync("end")]);
    const chunks = async function* (content: Uint8Array) {
      for (let at = 0; at < content.length; at += 1000) yield content.subarray(at, at + 1000);
    };
    const found = await Array.fromAsync(unzstdInScript(chunks(bytes)));
    expect(Buffer.concat(found).toString()).toBe(`${text}end`);
    expect(await rejection(Array.fromAsync(unzstdInScript(chunks(bytes.subarray(0, 5000)))))).toBeInstanceOf(
      Error,
    );
  });
});
