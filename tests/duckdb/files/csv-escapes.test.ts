import { expect, test } from "bun:test";
import { gzipSync } from "node:zlib";

import { rejection } from "../support.ts";
import { readTable } from "./support.ts";

const escape = "\\";

test.each([
  ["a letter", '"C:\\new folder"', "C:\\new folder"],
  ["the end of a line", '"d\\\n"', "d\\\n"],
  ["a delimiter", '"a\\,b"', "a\\,b"],
  ["an escaped quote", '"\\a\\"\\\\b"', '\\a"\\b'],
  ["a letter, behind an escaped escape", '"a\\\\\\n"', "a\\\\n"],
  ["a letter, outside of quotes", "C:\\new", "C:\\new"],
])("openFile() keeps a backslash before %s if csv.escape is set to it", async (_title, written, value) => {
  const text = `id,n\n1,${written}\n2,"say \\"hi\\" x"\n`;
  const rows = [
    ["1", value],
    ["2", 'say "hi" x'],
  ];
  const read = await readTable({ "t.csv": text }, { csv: { escape } });
  expect(read.rows).toEqual(rows);
  const others = { "t.csv.gz": gzipSync(text), "u.csv": Buffer.from(`\ufeff${text}`, "utf16le") };
  expect((await readTable(others, { csv: { escape } })).rows).toEqual([...rows, ...rows]);
});

test("openFile() keeps a backslash before a letter after the start of a file", async () => {
  const text = `id,n\n${'1,"x \\"y\\""\n'.repeat(40_000)}2,"C:\\new"\n`;
  const { rows } = await readTable({ "t.csv": text }, { csv: { escape } });
  expect([rows.length, rows.at(-1)]).toEqual([40_001, ["2", "C:\\new"]]);
  const error = await rejection(readTable({ "t.csv": text }));
  expect(error.message).toStartWith(
    '"t.csv", line 40002: a \\ in quotes precedes a character other than a quote',
  );
});

test("inspectFiles() rejects a file whose backslashes escape only some quotes, unless csv.escape is set", async () => {
  const text = 'id,n\n1,"C:\\new folder"\n2,"say \\"hi\\" x"\n';
  const error = await rejection(readTable({ "a.csv": 'id,n\n1,"x \\"y\\""\n', "t.csv": text }));
  expect(error).toMatchObject({ code: "file_row_invalid", details: { file: "t.csv", line: 2 } });
  expect((error as { hint?: string }).hint).toStartWith('Set csv.escape to "\\\\"');
  const known = (await readTable({ "t.csv": 'id,n\n1,"x \\"y\\""\n' })).reading;
  expect((await readTable({ "t.csv": text }, { known })).rows[0]).toEqual(["1", "C:\\new folder"]);
});
