import { expect, test } from "bun:test";

import type { CsvOptions } from "../../../lib/kit/mod.ts";
import { rejection } from "../support.ts";
import { readTable } from "./support.ts";

test.each([
  ["id,v\n1,a\n", { delimiter: ";" }, '";"', '"id,v" is separated by ","'],
  ["id,v\n1,a\n", { delimiter: ";;" }, '";;"', '"id,v" is separated by ","'],
  ["id;v\n1;a\n", { delimiter: "\t" }, "tabs", '"id;v" is separated by ";"'],
  ["id,v\n", { delimiter: "|" }, '"|"', '"id,v" is separated by ","'],
  ["id,v\n1,a\n2,b,c\n", { delimiter: "|" }, '"|"', '"id,v" is separated by ","'],
  ['"id","v"\n"1","a"\n', { delimiter: ";" }, '";"', '"id,v" is separated by ","'],
  ["1,2\n3,4\n", { delimiter: ";", header: false }, '";"', '"1,2" is separated by ","'],
  ["1,2\n3,4\n", { delimiter: ";", names: ["a", "b"] }, '";"', '"1,2" is separated by ","'],
] as const)(
  "inspectFiles() refuses %j, which does not hold the delimiter of %j",
  async (text, csv, own, split) => {
    const error = await rejection(readTable({ "good.csv": `id${csv.delimiter}v\n`, "t.csv": text }, { csv }));
    expect(error).toMatchObject({ code: "file_unreadable" });
    expect(error.message).toContain(
      `could not read "t.csv": it does not hold the delimiter ${own} that csv.delimiter names: ${split}`,
    );
  },
);

test.each([
  ["id\n1\n", { delimiter: ";" }, ["id:BIGINT"], [["1"]]],
  ["note\nhello, world\n", { delimiter: ";" }, ["note:VARCHAR"], [["hello, world"]]],
  ['"Amount, EUR"\n7\n', { delimiter: ";" }, ["Amount, EUR:BIGINT"], [["7"]]],
  ["a,b\nc,d\n", { delimiter: ";", names: ["line"] }, ["line:VARCHAR"], [["a,b"], ["c,d"]]],
  ["a,b\nc,d\n", { delimiter: ";", names: ["line"], header: true }, ["line:VARCHAR"], [["c,d"]]],
  ["a\nb, c\n", { delimiter: "|", header: false }, ["column0:VARCHAR"], [["a"], ["b, c"]]],
] as const)("inspectFiles() reads %j as one column by %j", async (text, csv, columns, rows) => {
  const read = await readTable({ "t.csv": text }, { csv });
  expect(read.columns).toEqual([...columns]);
  expect(read.rows).toEqual(rows.map((row) => [...row]));
});

test.each([
  ["1,2\n3,4\n", {}, '"1, 2"'],
  ["1,alice\n2,bob\n", {}, '"1, alice"'],
  ["2020,2021\n3,4\n", {}, '"2020, 2021"'],
  ["country,2020,2021\nCZ,4,5\n", {}, null],
  ["id,v\n1,2\n", {}, null],
  ["1,2\n3,4\n", { header: true }, null],
  ["1,2\n3,4\n", { header: false }, null],
  ["1,2\n3,4\n", { names: ["a", "b"] }, null],
] as const)("inspectFiles() notes names that are numbers: %j read by %j", async (text, csv, record) => {
  const { notes } = await readTable({ "t.csv": text }, { csv: { ...csv } as CsvOptions });
  expect(notes).toEqual(
    record === null
      ? []
      : [
          `the first record of t.csv, ${record}, names the columns; set csv.header to false if it is a row, or to true if not`,
        ],
  );
});
