import { expect, test } from "bun:test";
import { gzipSync } from "node:zlib";

import { JsonText } from "../../lib/base/mod.ts";
import { readJson, separateRejected } from "./files-json-support.ts";
import { rejection } from "./support.ts";

const lines = (...rows: readonly string[]) => rows.map((row) => `${row}\n`).join("");
const utf16 = (text: string, isBig: boolean) => {
  const bytes = Buffer.from(`\ufeff${text}`, "utf16le");
  return isBig ? bytes.swap16() : bytes;
};

const STRANGE: readonly (readonly [
  file: string,
  content: string,
  line: number,
  kind: string,
  text: string,
])[] = [
  ["t.ndjson", '{"id":1}\n42\n{"id":2}', 2, "a number", "42"],
  ["t.ndjson", '{"id":1}\n-1.5e3', 2, "a number", "-1.5e3"],
  ["t.ndjson", '{"id":1}\r\n "x\\"y" \r\n{"id":2}', 2, "a string", '"x\\"y"'],
  ["t.ndjson", '[1, {"id":[]}]\n{"id":2}', 1, "a list", '[1, {"id":[]}]'],
  ["t.ndjson", '{"id":1}\nnull\n{"id":2}', 2, "null", "null"],
  ["t.ndjson", `{"id":1}\n"${"é".repeat(150)}"`, 2, "a string", `"${"é".repeat(99)}…`],
  ["t.json", '[{"id":1},\n3]', 2, "a number", "3"],
  ["t.json", '[[\n{"id":1}]\n, {"id":2}]', 1, "a list", '[\n{"id":1}]'],
  ["t.json", '{"id":1}\n[\n1]\n{"id":2}', 2, "a list", "[\n1]"],
  ["t.json", "true", 1, "true", "true"],
  ["t.json", "[false]", 1, "false", "false"],
  ["t.ndjson", '""', 1, "a string", '""'],
];

test.each(STRANGE)("openJsonFile() names %s with %j instead of an object", async (file, content, ...rest) => {
  const [line, kind, text] = rest;
  for (const bytes of [Buffer.from(content), utf16(content, true), gzipSync(content)]) {
    const name = bytes[0] === 0x1f ? `${file}.gz` : file;
    const error = await rejection(readJson({ [name]: bytes }));
    expect(error).toMatchObject({ code: "file_row_invalid", details: { file: name, line, text } });
    expect(error.message).toContain(`line ${line}: found ${kind} instead of an object`);
  }
});

test("openJsonFile() rejects rows that are not objects in file order, with line and text, in lines and arrays", async () => {
  const long = JSON.stringify("é".repeat(400_000));
  const rows = ['{"id":1}', "42", '{"id":2}', "[1, [2]]", '{"id":"x"}', long, "null", '{"id":3}'];
  const columns = [{ name: "id", type: "BIGINT" }];
  for (const [name, content] of [
    ["lines.ndjson", lines(...rows)],
    ["utf16.ndjson", utf16(lines(...rows), false)],
    ["array.json", `[${rows.join(",\n")}]`],
    ["objects.json", lines(...rows)],
    ["lines.ndjson.gz", gzipSync(lines(...rows))],
  ] as const) {
    const { good, rejected } = await separateRejected(name, content, columns);
    expect(good).toEqual(['{"id":1}', '{"id":2}', '{"id":3}']);
    const strange = (line: number, kind: string) => ({
      row: line,
      column: "",
      value: rows[line - 1]!,
      reason: `found ${kind} instead of an object; each row must be an object`,
      record: { line, text: rows[line - 1]! },
    });
    expect(rejected).toEqual([
      strange(2, "a number"),
      strange(4, "a list"),
      { row: 5, column: "id", value: "x", reason: "it is not BIGINT", record: new JsonText('{"id":"x"}') },
      strange(6, "a string"),
      strange(7, "null"),
    ]);
  }
});

test("openJsonFile() does not quarantine a line with two values or a partial value", async () => {
  for (const [line, reason] of [
    ["4 2", /line 2: a second value follows/],
    ["2026-01-01 started", /line 2: /],
    ["[1", /line 2: /],
  ] as const) {
    const sorted = separateRejected("t.ndjson", lines('{"id":1}', line, '{"id":2}'), [
      { name: "id", type: "BIGINT" },
    ]);
    expect(await rejection(sorted)).toMatchObject({
      code: "file_unreadable",
      message: expect.stringMatching(reason),
    });
  }
});

test("a JSON file in UTF-16 without a byte order mark is read, and one in UTF-32 is rejected", async () => {
  for (const isBig of [false, true]) {
    for (const text of ['{"id":"č"}\n', '[{"id":"č"}]']) {
      const { rows } = await readJson({ "t.json": utf16(text, isBig).subarray(2) });
      expect(rows).toEqual([{ id: "č" }]);
    }
  }
  for (const bytes of [
    [0x7b, 0, 0, 0],
    [0, 0, 0, 0x7b],
    [0xff, 0xfe, 0, 0],
  ]) {
    expect((await rejection(readJson({ "t.json": Buffer.from(bytes) }))).message).toContain("UTF-32");
  }
});

test("the error of a JSON file in UTF-16 names line, character and byte of invalid text", async () => {
  const good = utf16('{"id":"a"}\n{"id":"', false);
  for (const [name, bytes] of [
    ["half a pair", Buffer.concat([good, Buffer.from([0x00, 0xd8, 0x22, 0x00])])],
    ["half a character", Buffer.concat([good, Buffer.from([0x41])])],
  ] as const) {
    const error = await rejection(readJson({ "t.ndjson": bytes }));
    expect([name, error.message]).toEqual([
      name,
      expect.stringMatching(
        /^could not read "t.ndjson": line 2, character 8: byte 0x(00|41) is not utf-16le; write it as UTF-8$/,
      ),
    ]);
  }
  const syntax = await rejection(readJson({ "t.ndjson": utf16('{"id":1}\n{"id":}\n', true) }));
  expect(syntax.message).toMatch(/"t.ndjson": line 2: /);
});
