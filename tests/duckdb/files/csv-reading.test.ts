import { gzipSync, zstdCompressSync } from "node:zlib";

import { describe, expect, test } from "bun:test";

import { rejection } from "../support.ts";
import { readTable } from "./support.ts";

const utf16le = (text: string) => Buffer.from(text, "utf16le");
const utf16be = (text: string) => utf16le(text).swap16();

describe("valid files are read as written", () => {
  test.each([
    ["quotes", 'a,b\n1,"he said ""x"", twice"\n', [["1", 'he said "x", twice']]],
    [
      "line ends inside quotes",
      'a,b\r\n1,"x\r\ny"\r\n2,"p\nq"\r\n',
      [
        ["1", "x\r\ny"],
        ["2", "p\nq"],
      ],
    ],
    ["no line end at the end", "a,b\n1,x", [["1", "x"]]],
    [
      "carriage returns for line ends",
      "a,b\r1,x\r2,y\r",
      [
        ["1", "x"],
        ["2", "y"],
      ],
    ],
    [
      "line ends of both kinds",
      'a,b\r\n1,x\n2,"y\nz"\r\n3,w\n',
      [
        ["1", "x"],
        ["2", "y\nz"],
        ["3", "w"],
      ],
    ],
    [
      "empty lines between rows",
      "a,b\n\n1,x\n\n\n2,y\n\n",
      [
        ["1", "x"],
        ["2", "y"],
      ],
    ],
    [
      "rows that begin with #",
      "a,b\n#1,x\n2,y\n",
      [
        ["#1", "x"],
        ["2", "y"],
      ],
    ],
    ["a byte order mark", "\ufeffa,b\n1,x\n", [["1", "x"]]],
    ["UTF-16 with a mark, little", utf16le("\ufeffa,b\n1,😀\n"), [["1", "😀"]]],
    ["UTF-16 with a mark, big", utf16be("\ufeffa,b\n1,😀\n"), [["1", "😀"]]],
    ["UTF-16 without a mark", utf16le("a,b\n1,x\n"), [["1", "x"]]],
    ["Excel's line about the delimiter", "sep=;\r\na;b\r\n1;x,y\r\n", [["1", "x,y"]]],
    [
      "semicolons and decimal commas",
      "a;b\n1;2,5\n3;4,5\n",
      [
        ["1", "2,5"],
        ["3", "4,5"],
      ],
    ],
    ["tabs", "a\tb\n1\tx, y\n", [["1", "x, y"]]],
    ["bars", "a|b\n1|x\n", [["1", "x"]]],
    [
      "backslashes before quotes",
      'a,b\n1,"x \\"y\\" z"\n2,w\n',
      [
        ["1", 'x "y" z'],
        ["2", "w"],
      ],
    ],
    [
      "backslashes that escape nothing",
      'a,b\n1,"C:\\"\n2,w\n',
      [
        ["1", "C:\\"],
        ["2", "w"],
      ],
    ],
    ["spaces", "a,b\n 1 , x \n", [[" 1 ", " x "]]],
    ["a space before a quoted value", 'a,b\n1, "x, y"\n', [["1", "x, y"]]],
    ["a space before a quoted name", ' "a", "b"\n1,x\n', [["1", "x"]]],
    [
      "values of nothing but spaces",
      'a,b\n" ","  "\n"""  """,""" ""x"\n',
      [
        [" ", "  "],
        ['"  "', '" "x'],
      ],
    ],
    ["spaces after quoted values", '"a" ,"b"  \n1,"x"  \n', [["1", "x"]]],
    ["two spaces before a quote", 'a,b\n1,  "x"\n', [["1", '  "x"']]],
    [
      "a space before a quoted value of two lines, with line ends of both kinds",
      'a,b\r\n1, "x\r\n\r\ny, z"\n2,w\r\n',
      [
        ["1", "x\r\n\r\ny, z"],
        ["2", "w"],
      ],
    ],
    ["a space before quoted names after a byte order mark", '\ufeff "a","b"\n1, "x"\n', [["1", "x"]]],
    ["a quote inside a value", 'a,b\n1,5" disk\n', [["1", '5" disk']]],
    [
      "an empty value as null, quoted or not",
      'a,b\n1,\n2,""\n',
      [
        ["1", null],
        ["2", null],
      ],
    ],
    ["names only", "a,b\n", []],
  ])("%s", async (_what, content, expected) => {
    const { rows, columns } = await readTable({ "t.csv": content });
    expect(rows).toEqual(expected);
    expect(columns.map((column) => column[0])).toEqual(["a", "b"]);
  });

  test("a first quoted value after tens of thousands of rows", async () => {
    const lines = Array.from({ length: 30_000 }, (_, id) => `${id},plain ${id}`);
    const { rows } = await readTable({ "t.csv": `id,text\n${lines.join("\n")}\n30000,"say ""hi"", now"\n` });
    expect(rows).toHaveLength(30_001);
    expect(rows.at(-1)).toEqual(["30000", 'say "hi", now']);
  });

  test("empty files, files with only line ends or a byte order mark, also compressed, beside one with rows", async () => {
    const { rows, columns } = await readTable({
      "a.csv": "",
      "b.csv": "\n\r\n\n",
      "c.csv": "\ufeff",
      "d.csv.gz": gzipSync(""),
      "d0.csv.gz": "",
      "e.csv.zst": zstdCompressSync("\n"),
      "f.csv.gz": gzipSync("a\n1\n"),
      "g.csv.zst": zstdCompressSync("a\n2\n"),
    });
    expect([columns, rows]).toEqual([["a:BIGINT"], [["1"], ["2"]]]);
  });

  test("files with other columns, or in another order", async () => {
    const { columns, rows } = await readTable({ "a.csv": "id,x\n1,p\n", "b.csv": "y,id\nq,2\n" });
    expect(columns).toEqual(["id:BIGINT", "x:VARCHAR", "y:VARCHAR"]);
    expect(rows).toEqual([
      ["1", "p", null],
      ["2", null, "q"],
    ]);
  });

  test("a name with two lines, also after a byte order mark", async () => {
    for (const mark of ["", "\ufeff"]) {
      const { reading, rows } = await readTable({ "t.csv": `${mark}"first\nname",b\n1,2\n` });
      expect(reading.columns.map(({ name }) => name)).toEqual(["first\nname", "b"]);
      expect(rows).toEqual([["1", "2"]]);
    }
  });

  test("a file with one column, in which an empty line is not a row", async () => {
    const { rows } = await readTable({ "t.csv": 'a\n\n1\n\n""\n2\n\n' });
    expect(rows).toEqual([["1"], [null], ["2"]]);
  });

  test("skipped lines with any content", async () => {
    const { rows } = await readTable(
      { "t.csv": '"report of June\na,b\n1,2\n3,4\n' },
      { csv: { skipLines: 1 } },
    );
    expect(rows).toEqual([
      ["1", "2"],
      ["3", "4"],
    ]);
  });

  test("line ends that change after the head, and a header longer than the head", async () => {
    const lines = Array.from({ length: 40_000 }, (_, id) => `${id},text ${id}`);
    const { rows } = await readTable({ "t.csv": `id,text\n${lines.join("\n")}\r\n40000,last\r\n` });
    expect([rows.length, rows.at(-1)]).toEqual([40_001, ["40000", "last"]]);
    const names = Array.from({ length: 300 }, (_, at) => `${"n".repeat(1200)}${at}`);
    const wide = await readTable({ "t.csv": `${names.join(",")}\n${names.map((_, at) => at).join(",")}\n` });
    expect([wide.columns.length, wide.rows[0]!.at(-1)]).toEqual([300, "299"]);
  });

  test("columns named like helper columns or like properties of Object", async () => {
    const names = [
      "agnes_text_0",
      "agnes_text_1",
      "agnes_row",
      "c0",
      "v0",
      "constructor",
      "toString",
      "__proto__",
    ];
    const { columns, rows } = await readTable(
      { "t.csv": `b,${names.join(",")}\n1,x,2,3,4,5,6,7,8\n` },
      { types: { constructor: "INTEGER" } },
    );
    expect(columns[1]).toBe("agnes_text_0:VARCHAR");
    expect(rows).toEqual([["1", "x", "2", "3", "4", "5", "6", "7", "8"]]);
  });

  test("names that are empty, repeated or invalid as SQL identifiers", async () => {
    const { reading } = await readTable({ "t.csv": 'id,,id,"say ""x"""\n1,2,3,4\n' });
    expect(reading.columns.map(({ name }) => name)).toEqual(["id", "column1", "id_1", 'say "x"']);
  });

  test.each([
    ["windows-1250", Buffer.from([0x9e, 0x6c, 0x75, 0x9d]), "žluť"],
    ["latin1", Buffer.from([0x63, 0x61, 0x66, 0xe9]), "café"],
    ["Windows_1252", Buffer.from([0x80]), "€"],
    ["utf-16be", utf16be("x"), "x"],
  ])("the encoding %s", async (encoding, bytes, expected) => {
    const isWide = encoding.startsWith("utf-16");
    const ascii = (text: string) => (isWide ? utf16be(text) : Buffer.from(text, "latin1"));
    const content = Buffer.concat([ascii("a,b\n1,"), bytes, ascii("\n")]);
    const { rows } = await readTable({ "t.csv": content }, { csv: { encoding } });
    expect(rows).toEqual([["1", expected]]);
  });

  test("the options for lines, comments and nulls", async () => {
    const text = 'exported today\n"by" us\n# who\nid,name,n\n# none\n1,#x,-\n2,"a\n# b",5\n3, "c\n# d",6\n';
    const csv = { skipLines: 2, comment: "#", nullValues: ["-"] };
    const { columns, rows } = await readTable({ "t.csv": text }, { csv });
    expect(columns).toEqual(["id:BIGINT", "name:VARCHAR", "n:BIGINT"]);
    expect(rows).toEqual([
      ["1", "#x", null],
      ["2", "a\n# b", "5"],
      ["3", "c\n# d", "6"],
    ]);
  });

  test("files without a header, and without quotes", async () => {
    const named = { header: false, names: ["id", "text"], quote: "" };
    const { columns, rows } = await readTable({ "t.csv": '1,"x\n2,y"\n' }, { csv: named });
    expect([columns, rows]).toEqual([
      ["id:BIGINT", "text:VARCHAR"],
      [
        ["1", '"x'],
        ["2", 'y"'],
      ],
    ]);
  });
});

describe("invalid files are rejected, with file and line", () => {
  test.each([
    ["a row that is too long", "a,b\n1,2\n3,4,5\n", 3, "3,4,5"],
    ["a row that is too short", "a,b\n1,2\n\n3\n", 4, "3"],
    ["a footer", "a,b\n1,2\nTotal: 1\n", 3, "Total: 1"],
    ["a header that is shorter than its rows", "a\n1,2\n3,4\n", 2, "1,2"],
    ["a line before the header", "Report of May\na,b\n1,2\n", 2, "a,b"],
    ["an unclosed quote", 'a,b\n1,"x\n2,y\n', 2, '1,"x\n2,y'],
    ["a row after a value of several lines", 'a,b\n1,"x\ny\nz"\n2\n', 5, "2"],
    ["a row of a file with line ends of both kinds", "a,b\r\n1,2\n3\r\n", 3, "3"],
    ["a row of a file in UTF-16", utf16le("\ufeffa,b\n1,2\n3\n"), 3, "3"],
    ["quotes that open again after a space", 'a,b\n1," "\n2,"x" "y"\n', 3, '2,"x" "y"'],
    ["empty quotes that open again", 'a,b\n1,""  "y"\n', 2, '1,""  "y"'],
    [
      "quotes that open again in a long file",
      `a,b\n${'1," "\n'.repeat(60_000)}2,"x" "y"\n`,
      60_002,
      '2,"x" "y"',
    ],
    ["quotes that open again in a file in UTF-16", utf16le('\ufeffa,b\n1,"x" "y"\n'), 2, '1,"x" "y"'],
    ["a row that is too long after quotes", 'a,b\r\n1,2\r\n"x, y",2,"3""4"\r\n', 3, '"x, y",2,"3""4"'],
  ])("%s", async (_what, content, line, text) => {
    const read = readTable({ "good.csv": "a,b\n1,2\n", "bad.csv": content });
    expect(await rejection(read)).toMatchObject({
      code: "file_row_invalid",
      details: { file: "bad.csv", line },
    });
    expect(await rejection(read)).toMatchObject({ details: { text: expect.stringContaining(text) } });
  });

  test.each([
    [
      "bytes that are no UTF-8",
      Buffer.from("a,b\n1,2\n3,caf\xe9\n", "latin1"),
      /line 3.*UTF-8.*csv\.encoding/,
    ],
    ["a control character in a name", "a,b\0\n1,2\n", /control character/],
    ["names that differ only by case", "a,A\n1,2\n", /"a" and "A" differ only by case/],
    [
      "another delimiter than the other files",
      "a;b\n1;2\n",
      /its delimiter is ";", but that of its table is ","/,
    ],
    ["a header with an unclosed quote", 'a,"b\n1,2\n', /unclosed quote/],
  ])("%s", async (_what, content, expected) => {
    const read = readTable({ "good.csv": "a,b\n1,2\n", "bad.csv": content });
    expect((await rejection(read)).message).toMatch(expected);
    expect((await rejection(read)).message).toMatch(/bad\.csv/);
  });

  test("a record that exceeds the limit, and a file without a column of its table", async () => {
    const long = { "t.csv": `a,b\n1,2\n3,${"x".repeat(3000)}\n` };
    expect((await rejection(readTable(long, { csv: { maxLineBytes: 1000 } }))).message).toMatch(
      /line 3: a record has more than 1000 bytes; raise csv\.maxLineBytes/,
    );
    const stranger = { "a.csv": "id,v\n1,2\n", "b.csv": "2,3\n3,4\n" };
    expect((await rejection(readTable(stranger))).message).toMatch(
      /b\.csv.*no column in common.*header may be missing/,
    );
  });

  test("files of one table whose names differ only by case", async () => {
    const read = readTable({ "x.csv": "Id\n1\n", "y.csv": "id\n2\n" });
    expect((await rejection(read)).message).toMatch(/y\.csv.*"id" differs from "Id" in x\.csv only by case/);
  });

  test("an unknown encoding or type", async () => {
    expect(
      (await rejection(readTable({ "t.csv": "a\n1\n" }, { csv: { encoding: "klingon" } }))).message,
    ).toMatch(/klingon/);
    expect((await rejection(readTable({ "t.csv": "a\n1\n" }, { types: { b: "BIGINT" } }))).message).toMatch(
      /no column "b"/,
    );
    expect((await rejection(readTable({ "t.csv": "a\n1\n" }, { types: { a: "NUMBERR" } }))).message).toMatch(
      /types\.a.*no type "NUMBERR"/,
    );
  });

  test("a value after the sample of the first inspection", async () => {
    const text = "a text that is long enough ".repeat(10);
    const lines = Array.from({ length: 70_000 }, (_, id) => `${id},${text}`);
    lines[60_000] = "x60000,odd";
    const content = { "t.csv": `id,text\n${lines.join("\n")}\n` };
    expect(await rejection(readTable(content))).toMatchObject({
      code: "file_value_invalid",
      details: { file: "t.csv", line: 60_002, column: "id", value: "x60000", type: "BIGINT" },
    });
    const { columns, rows } = await readTable(content, { look: "whole" });
    expect(columns[0]).toBe("id:VARCHAR");
    expect(rows[60_000]).toEqual(["x60000", "odd"]);
  });
});
