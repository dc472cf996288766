import { expect, test } from "bun:test";
import { gzipSync } from "node:zlib";

import { rejection } from "../support.ts";
import { readTable } from "./support.ts";

const PAD = "y".repeat(100);
const lines = (count: number, end = "\n") =>
  Buffer.from(`id,v,p${end}${Array.from({ length: count }, (_, at) => `${at},é,${PAD}${end}`).join("")}`);

test.each([
  ["in the head", "t.csv", lines(1), 3],
  ["in the last line of a large file", "t.csv", lines(12_000), 12_002],
  ["in a compressed file", "t.csv.gz", lines(12_000), 12_002],
  ["behind carriage returns", "t.csv", lines(12_000, "\r\n"), 12_002],
])("inspectFiles() names line, character and byte of invalid UTF-8: %s", async (_what, name, start, line) => {
  for (const [rest, byte] of [
    [[0xe9, 0x2c, 0x7a, 0x0a], "0xe9"],
    [[0xff, 0x2c, 0x7a], "0xff"],
    [[0xc3], "0xc3"],
  ] as const) {
    const content = Buffer.concat([start, Buffer.from("é1,"), Buffer.from(rest)]);
    const read = readTable({ [name]: name.endsWith(".gz") ? gzipSync(content) : content });
    expect((await rejection(read)).message).toBe(
      `could not read "${name}": line ${line}, character 4: byte ${byte} is not UTF-8; set csv.encoding to its encoding, such as windows-1252`,
    );
  }
});

test("inspectFiles() names the byte of a character across two chunks", async () => {
  for (const size of [64 * 1024, 256 * 1024]) {
    const start = lines(5_000).subarray(0, size - 2);
    const line = start.toString("latin1").split("\n").length;
    const content = Buffer.concat([start, Buffer.from([0xe2, 0x82, 0x41, 0x0a])]);
    const { message } = await rejection(readTable({ "t.csv": content }));
    expect(message).toContain(`line ${line}, character`);
    expect(message).toContain("byte 0xe2 is not UTF-8");
  }
});

test("inspectFiles() names the position of bytes that are invalid in the configured encoding", async () => {
  const text = Buffer.concat([Buffer.from("id,v\n1,a\n", "utf16le"), Buffer.from([0x00, 0xd8, 0x41, 0x00])]);
  const read = readTable({ "t.csv": text }, { csv: { encoding: "utf-16le" } });
  expect((await rejection(read)).message).toContain("line 3, character 1: byte 0x00 is not utf-16le");
});

const utf16 = (text: string, isBig: boolean) => {
  const bytes = Buffer.from(text, "utf16le");
  return isBig ? bytes.swap16() : bytes;
};

test.each(["utf-16", "utf-16le", "utf-16be", "UTF16"])(
  "readCsvHead() reads %s without a byte order mark in the byte order of each file",
  async (encoding) => {
    const files = { "a.csv": utf16("id,v\n1,é\n", true), "b.csv": utf16("id,v\n2,日本\n", false) };
    const rows = [
      ["1", "é"],
      ["2", "日本"],
    ];
    expect((await readTable(files, { csv: { encoding } })).rows).toEqual(rows);
    const others = { "b.csv": files["b.csv"], "a.csv": files["a.csv"] };
    expect((await readTable(others, { csv: { encoding } })).rows).toEqual(rows.toReversed());
  },
);

test("readCsvHead() rejects a file in another encoding if csv.encoding is UTF-16", async () => {
  for (const text of ["id,v\n1,a\n", "id,v\n1,ab\n"]) {
    const error = await rejection(readTable({ "t.csv": text }, { csv: { encoding: "utf-16" } }));
    expect(error).toMatchObject({ code: "file_unreadable" });
    expect(error.message).toContain('"t.csv": its bytes are not UTF-16, which csv.encoding sets');
  }
  const { rows } = await readTable(
    { "t.csv": "\ufeffid,v\n1,a\n", "u.csv": "" },
    { csv: { encoding: "utf-16" } },
  );
  expect(rows).toEqual([["1", "a"]]);
});
