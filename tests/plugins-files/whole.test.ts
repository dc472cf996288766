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
    test(`checkWhole() accepts whole .${ending} files, also of several members`, async () => {
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

    test(`checkWhole() refuses a .${ending} file cut off anywhere`, async () => {
      const bytes = Buffer.concat([compress(text), compress(text)]);
      const half = compress(text).length;
      for (const length of [3, 20, half - 1, half + 2, half + 100, bytes.length - 1]) {
        const path = await folder.write(`cut.csv.${ending}`, bytes.subarray(0, length));
        expect(await rejection(checkWhole(path, signal))).toMatchObject({ code: "file_unreadable" });
      }
    });
  }

  test("checkWhole() accepts what DuckDB compresses with zstd", async () => {
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

  test("read() of a cut off file fails instead of publishing the half of it", async () => {
    const whole = Bun.gzipSync(`id\n${text}`);
    await folder.write("orders.csv.gz", whole.subarray(0, whole.length / 2));
    const source = await folder.connect();
    const table = (await source.tables()).get("orders");
    expect(await rejection(source.read(table))).toMatchObject({ details: { code: "file_unreadable" } });
  });
});
