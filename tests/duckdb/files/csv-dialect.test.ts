import { expect, test } from "bun:test";

import type { CsvOptions } from "../../../lib/kit/mod.ts";
import { rejection } from "../support.ts";
import { readTable } from "./support.ts";

test.each([
  ["id,v\n1,a\n", { delimiter: ";" }, '";"', 'the delimiter of "id,v" is ","'],
  ["id,v\n1,a\n", { delimiter: ";;" }, '";;"', 'the delimiter of "id,v" is ","'],
  ["id;v\n1;a\n", { delimiter: "\t" }, "tab", 'the delimiter of "id;v" is ";"'],
  ["id,v\n", { delimiter: "|" }, '"|"', 'the delimiter of "id,v" is ","'],
  ["id,v\n1,a\n2,b,c\n", { delimiter: "|" }, '"|"', 'the delimiter of "id,v" is ","'],
  ['"id","v"\n"1","a"\n', { delimiter: ";" }, '";"', 'the delimiter of "id,v" is ","'],
  ["1,2\n3,4\n", { delimiter: ";", header: false }, '";"', 'the delimiter of "1,2" is ","'],
  ["1,2\n3,4\n", { delimiter: ";", names: ["a", "b"] }, '";"', 'the delimiter of "1,2" is ","'],
] as const)(
  "inspectFiles() rejects %j, which does not contain the delimiter of %j",
  async (text, csv, own, split) => {
    const error = await rejection(readTable({ "good.csv": `id${csv.delimiter}v\n`, "t.csv": text }, { csv }));
    expect(error).toMatchObject({ code: "file_unreadable" });
    expect(error.message).toContain(
      `could not read "t.csv": it does not contain the csv.delimiter ${own}: ${split}`,
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
  ["2026-01-01,x\n2026-01-02,y\n", {}, '"2026-01-01, x"'],
  ["2026-01-01T10:00:00,INFO\n2026-01-01T10:05:00Z,WARN\n", {}, '"2026-01-01T10:00:00, INFO"'],
  ["31.01.2026;x\n01.02.2026;y\n", {}, '"31.01.2026, x"'],
  ["1/31/2026 10:30 PM|x\n", {}, '"1/31/2026 10:30 PM, x"'],
  ["10:30,x\n11:00,y\n", {}, '"10:30, x"'],
  ["x,true\ny,FALSE\n", {}, '"x, true"'],
  ["x,1e5\ny,2e5\n", {}, '"x, 1e5"'],
  ["x,10%\ny,5 %\n", {}, '"x, 10%"'],
  ["x;1.234,50\ny;2\n", {}, '"x, 1.234,50"'],
  ["x;1 234,50\ny;2\n", {}, '"x, 1 234,50"'],
  ["x,007\ny,008\n", {}, '"x, 007"'],
  ["month,2026-01,Q1,1st\na,4,5,6\n", {}, null],
  ["country,2020,2021\nCZ,4,5\n", {}, null],
  ["id,v\n1,2\n", {}, null],
  ["1,2\n3,4\n", { header: true }, null],
  ["1,2\n3,4\n", { header: false }, null],
  ["1,2\n3,4\n", { names: ["a", "b"] }, null],
] as const)("inspectFiles() notes names that look like values: %j read by %j", async (text, csv, record) => {
  const { notes } = await readTable({ "t.csv": text }, { csv: { ...csv } as CsvOptions });
  expect(notes).toEqual(
    record === null
      ? []
      : [
          `the first record of t.csv, ${record}, is used as column names; set csv.header to false if it is a row, otherwise to true`,
        ],
  );
});

test("inspectFiles() names each file whose first record looks like values, also if files share some values", async () => {
  const { notes } = await readTable({
    "1.csv": "2026-01-01T10:00:00,INFO,start\n2026-01-01T10:05:00,WARN,disk\n",
    "2.csv": "2026-01-02T10:00:00,INFO,start\n2026-01-02T10:05:00,WARN,disk\n",
  });
  expect(notes).toEqual([
    'the first records of several files are used as column names: of 1.csv, "2026-01-01T10:00:00, INFO, start"; of 2.csv, ' +
      '"2026-01-02T10:00:00, INFO, start"; set csv.header to false if they are rows, otherwise to true',
  ]);
  const files = Array.from({ length: 5 }, (_, at) => [`${at}.csv`, `ann,${at}\nbob,6\n`]);
  const [note] = (await readTable(Object.fromEntries(files) as Record<string, string>)).notes;
  expect(note).toStartWith(
    'the first records of several files are used as column names: of 0.csv, "ann, 0"; of 1.csv',
  );
  expect(note).toContain('of 2.csv, "ann, 2", and of 2 more; set csv.header');
});

test.each([
  ["Artikel;Preis, netto;Preis, brutto\nA;1,50;1,80\nB;2,00;2,40\n", ";", [["A", "1,50", "1,80"]]],
  ["Datum;Preis (EUR, netto)\n01.02.2026;1,50\n", ";", [["2026-02-01", "1,50"]]],
  ["id|text, note\n1|a, b\n2|c, d\n", "|", [["1", "a, b"]]],
  ["id\ttext; note\n1\ta; b\n", "\t", [["1", "a; b"]]],
  ["id;list, of, words\n1;a, b, c\n", ";", [["1", "a, b, c"]]],
  ["id,date,temp;unit\n1,2026-01-05,5;C\n", ",", [["1", "2026-01-05", "5;C"]]],
  ["id,a;b;c;d\n1,x;y;z;w\n", ",", [["1", "x;y;z;w"]]],
] as const)(
  "inspectFiles() splits %j by %j although another delimiter also splits it evenly",
  async (text, own, rows) => {
    const { reading, rows: read, notes } = await readTable({ "t.csv": text });
    expect(reading.csv!.delimiter).toBe(own);
    expect(read.slice(0, 1)).toEqual(rows.map((row) => [...row]));
    expect(notes).toEqual([]);
  },
);

test("inspectFiles() detects the delimiter of a file without a header from its rows", async () => {
  const { rows } = await readTable(
    { "t.csv": "1;2,5\n2;3,5\n" },
    { csv: { header: false, decimalSeparator: "," } },
  );
  expect(rows).toEqual([
    ["1", "2.5"],
    ["2", "3.5"],
  ]);
});

test.each([
  ["a\tb;c\n1\t2;3\n", '";" or tab', '";"'],
  ["x|y;z\n1|2;3\n", '";" or "|"', '";"'],
  ["name|nick,city,country\nann|a,Brno,CZ\n", '"," or "|"', '","'],
] as const)("inspectFiles() notes that %j can be split by %s", async (text, both, own) => {
  const { reading, notes } = await readTable({ "t.csv": text });
  expect(notes).toEqual([
    `the delimiter may be ${both}, because both split the records evenly; ${own} is used; set csv.delimiter to the correct one`,
  ]);
  const again = await readTable({ "t.csv": text }, { known: reading });
  expect(again.notes).toEqual([...notes]);
  const configured = await readTable({ "t.csv": text }, { csv: { delimiter: reading.csv!.delimiter } });
  expect(configured.notes).toEqual([]);
});
