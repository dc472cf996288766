import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";

import { checkWhole } from "../../plugins/files/whole.ts";
import { makeFolder, rejection, type Folder } from "./support.ts";

let folder: Folder;
beforeEach(async () => {
  folder = await makeFolder();
});
afterEach(async () => {
  await folder[Symbol.asyncDispose]();
});

const text = Array.from({ length: 100_000 }, (_, id) => `${(id * 7919) % 100_003}\n`).join("");
const { signal } = new AbortController();

describe("files: compressed files", () => {
  for (const [ending, compress] of [
    ["gz", (bytes: string) => Bun.gzipSync(bytes)],
    ["zst", (bytes: string) => Bun.zstdCompressSync(bytes)],
  ] as const) {
    test(`checkWhole() accepts complete .${ending} files, also with several members`, async () => {
      const bytes = compress(text);
      const empty = compress("");
      for (const [name, content] of Object.entries({
        one: bytes,
        two: Buffer.concat([bytes, bytes]),
        empty,
      })) {
        await checkWhole(await folder.write(`${name}.csv.${ending}`, content), signal);
      }
    });

    test(`checkWhole() rejects a .${ending} file truncated at any byte`, async () => {
      const bytes = Buffer.concat([compress(text), compress(text)]);
      const half = compress(text).length;
      for (const length of [3, 20, half - 1, half + 2, half + 100, bytes.length - 1]) {
        const path = await folder.write(`cut.csv.${ending}`, bytes.subarray(0, length));
        expect(await rejection(checkWhole(path, signal))).toMatchObject({ code: "file_unreadable" });
      }
    });
  }

  test("checkWhole() accepts zstd files written by DuckDB", async () => {
    await folder.sql("COPY (FROM range(200000)) TO '@/numbers.csv.zst'");
    await folder.sql("COPY (FROM range(0)) TO '@/none.csv.zst'");
    await checkWhole(`${folder.path}/numbers.csv.zst`, signal);
    const bytes = await readFile(`${folder.path}/numbers.csv.zst`);
    expect(
      await rejection(
        checkWhole(await folder.write("cut.csv.zst", bytes.subarray(0, bytes.length / 2)), signal),
      ),
    ).toMatchObject({ code: "file_unreadable" });
  });

  for (const [ending, compress] of [
    ["gz", (bytes: string) => Bun.gzipSync(bytes)],
    ["zst", (bytes: string) => Bun.zstdCompressSync(bytes)],
  ] as const) {
    test(`checkWhole() rejects a .${ending} file followed by other bytes, including zeros`, async () => {
      for (const rest of [Buffer.from("garbage"), Buffer.alloc(512)]) {
        const path = await folder.write(`more.csv.${ending}`, Buffer.concat([compress(text), rest]));
        expect(await rejection(checkWhole(path, signal))).toMatchObject({ code: "file_unreadable" });
      }
    });

    test(`checkWhole() accepts an empty .${ending} file`, async () => {
      await checkWhole(await folder.write(`none.csv.${ending}`, ""), signal);
    });

    test(`checkWhole() stops at each limit of a .${ending} file, and not below it`, async () => {
      const path = await folder.write(`big.csv.${ending}`, compress("0".repeat(66 * 1024 ** 2)));
      const generous = { maxDecompressedBytes: 2 ** 40, maxCompressionRatio: 1e6 };
      await checkWhole(path, signal, generous);
      for (const [limit, allowed] of [
        ["maxDecompressedBytes", 66 * 1024 ** 2 - 1],
        ["maxCompressionRatio", 500],
      ] as const) {
        const failed = await rejection(checkWhole(path, signal, { ...generous, [limit]: allowed }));
        expect(failed).toMatchObject({ code: "files/decompression_limit", details: { limit, allowed } });
      }
      const small = await folder.write(`small.csv.${ending}`, compress("0".repeat(1024 ** 2)));
      await checkWhole(small, signal, { ...generous, maxCompressionRatio: 2 });
    });
  }

  test("checkWhole() stops at a zstd file that states a small size and decompresses to gigabytes", async () => {
    const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x80, 0x58, 10, 0, 0, 0]);
    const repeated = (isLast: boolean) => {
      const block = Buffer.alloc(4, "0");
      block.writeUIntLE((131_072 << 3) | 2 | (isLast ? 1 : 0), 0, 3);
      return block;
    };
    const blocks = Buffer.concat(Array.from({ length: 10_000 }, (_, at) => repeated(at === 9999)));
    const path = await folder.write("bomb.csv.zst", Buffer.concat([header, blocks]));
    const failed = await rejection(checkWhole(path, signal));
    expect(["files/decompression_limit", "file_unreadable"]).toContain((failed as { code?: string }).code!);
  });

  test("read() of a truncated file fails instead of publishing a part of it", async () => {
    const whole = Bun.gzipSync(`id\n${text}`);
    await folder.write("orders.csv.gz", whole.subarray(0, whole.length / 2));
    const source = await folder.connect();
    const table = (await source.tables()).get("orders");
    expect(await rejection(source.read(table))).toMatchObject({
      code: "file_unreadable",
      details: { path: "orders.csv.gz" },
    });
  });
});
