import { expect, test } from "bun:test";

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
