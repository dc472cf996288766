import { expect, test } from "bun:test";

import { rejection } from "../support.ts";
import { readColumn, readTable } from "./support.ts";

test.each([
  [
    ["1", "-20", "0"],
    ["BIGINT", "1", "-20", "0"],
  ],
  [
    ["9223372036854775807", "-9223372036854775808"],
    ["BIGINT", "9223372036854775807", "-9223372036854775808"],
  ],
  [["9223372036854775808"], ["VARCHAR", "9223372036854775808"]],
  [
    ["98765432109876543210", "1"],
    ["VARCHAR", "98765432109876543210", "1"],
  ],
  [
    ["1", "2.5"],
    ["DECIMAL(18,1)", "1.0", "2.5"],
  ],
  [
    ["19.99", "0.1", "100"],
    ["DECIMAL(18,2)", "19.99", "0.10", "100.00"],
  ],
  [["0.123456"], ["DECIMAL(18,6)", "0.123456"]],
  [["0.1234567"], ["DOUBLE", "0.1234567"]],
  [
    ["9007199254740993", "1.5"],
    ["DECIMAL(18,1)", "9007199254740993.0", "1.5"],
  ],
  [
    ["123456789012345678", "0.1"],
    ["VARCHAR", "123456789012345678", "0.1"],
  ],
  [["0.30000000000000004"], ["DOUBLE", "0.30000000000000004"]],
  [["0.10000000000000001"], ["VARCHAR", "0.10000000000000001"]],
  [
    ["-9223372036854775808", "1.5e-7"],
    ["VARCHAR", "-9223372036854775808", "1.5e-7"],
  ],
  [["0.30000000000000004441"], ["VARCHAR", "0.30000000000000004441"]],
  [
    ["1.5e-7", "6.02E+23", "3"],
    ["DOUBLE", "1.5e-07", "6.02e+23", "3.0"],
  ],
  [["1.5e400"], ["VARCHAR", "1.5e400"]],
  [["4711e12"], ["VARCHAR", "4711e12"]],
  [["1e5"], ["VARCHAR", "1e5"]],
  [["-0"], ["VARCHAR", "-0"]],
  [
    ["-0.0", "1.5"],
    ["DOUBLE", "-0.0", "1.5"],
  ],
  [
    ["007", "12"],
    ["VARCHAR", "007", "12"],
  ],
  [["+420777111222"], ["VARCHAR", "+420777111222"]],
  [["1_000"], ["VARCHAR", "1_000"]],
  [["0xFF"], ["VARCHAR", "0xFF"]],
  [[" 5"], ["VARCHAR", " 5"]],
  [["1.2.3"], ["VARCHAR", "1.2.3"]],
  [
    ["NaN", "1.5"],
    ["VARCHAR", "NaN", "1.5"],
  ],
  [
    ["true", "FALSE", "True"],
    ["BOOLEAN", "true", "false", "true"],
  ],
  [
    ["NO", "SE"],
    ["VARCHAR", "NO", "SE"],
  ],
  [
    ["t", "f"],
    ["VARCHAR", "t", "f"],
  ],
  [
    ["yes", "no"],
    ["VARCHAR", "yes", "no"],
  ],
  [["2024-02-29"], ["DATE", "2024-02-29"]],
  [["2023-02-29"], ["VARCHAR", "2023-02-29"]],
  [["24-02-28"], ["VARCHAR", "24-02-28"]],
  [
    ["2024-02-28 10:00", "2024-02-28T10:00:00.5"],
    ["TIMESTAMP", "2024-02-28 10:00:00", "2024-02-28 10:00:00.5"],
  ],
  [
    ["2024-02-28", "2024-02-28 10:00:00"],
    ["TIMESTAMP", "2024-02-28 00:00:00", "2024-02-28 10:00:00"],
  ],
  [["2024-02-28T10:00:00.1234567"], ["VARCHAR", "2024-02-28T10:00:00.1234567"]],
  [["2024-02-28 24:00:00"], ["VARCHAR", "2024-02-28 24:00:00"]],
  [
    ["2024-02-28T10:00:00Z", "2024-02-28 11:00:00+01:00"],
    ["TIMESTAMP WITH TIME ZONE", "2024-02-28 10:00:00+00", "2024-02-28 10:00:00+00"],
  ],
  [
    ["2024-02-28T10:00:00Z", "2024-02-28T10:00:00"],
    ["VARCHAR", "2024-02-28T10:00:00Z", "2024-02-28T10:00:00"],
  ],
  [
    ["2024-02-28T10:00:00Z", "02/28/2024 10:00:00"],
    ["VARCHAR", "2024-02-28T10:00:00Z", "02/28/2024 10:00:00"],
  ],
  [["10:30:00"], ["TIME", "10:30:00"]],
  [["1:30"], ["VARCHAR", "1:30"]],
  [
    ["31.12.2023", "1.2.2024"],
    ["DATE %d.%m.%Y", "2023-12-31", "2024-02-01"],
  ],
  [["12.31.2023"], ["VARCHAR", "12.31.2023"]],
  [["31.12.23"], ["VARCHAR", "31.12.23"]],
  [
    ["31/12/2023", "01/02/2024"],
    ["DATE %d/%m/%Y", "2023-12-31", "2024-02-01"],
  ],
  [
    ["12/31/2023", "01/02/2024"],
    ["DATE %m/%d/%Y", "2023-12-31", "2024-01-02"],
  ],
  [
    ["31/12/2023", "12/31/2023"],
    ["VARCHAR", "31/12/2023", "12/31/2023"],
  ],
  [["31-12-2023"], ["DATE %d-%m-%Y", "2023-12-31"]],
  [["2023/12/31"], ["DATE %Y/%m/%d", "2023-12-31"]],
  [["13/02/2024 9:05"], ["TIMESTAMP %d/%m/%Y %H:%M", "2024-02-13 09:05:00"]],
  [["2/13/2024 3:04:05 PM"], ["TIMESTAMP %m/%d/%Y %I:%M:%S %p", "2024-02-13 15:04:05"]],
  [
    ["13/02/2024", "13/02/2024 10:00"],
    ["VARCHAR", "13/02/2024", "13/02/2024 10:00"],
  ],
] as const)("inspectFiles() chooses a type that preserves %p", async (texts, expected) => {
  expect(await readColumn(texts)).toEqual([...expected]);
});

test.each([
  ["03/04/2024", "csv.dateFormat", "%d/%m/%Y or %m/%d/%Y"],
  ["03-04-2024", "csv.dateFormat", "%d-%m-%Y or %m-%d-%Y"],
  ["03/04/2024 10:00", "csv.timestampFormat", "%d/%m/%Y %H:%M or %m/%d/%Y %H:%M"],
])("inspectFiles() keeps %s as text and names the option to set", async (text, option, formats) => {
  const { columns, rows, notes } = await readTable({ "t.csv": `day\n${text}\n` });
  expect([columns, rows]).toEqual([["day:VARCHAR"], [[text]]]);
  expect(notes).toEqual([
    `the dates in column day can be read as ${formats}, so it stays text; set ${option} to one of them`,
  ]);
});

const DAY_FIRST = { dateFormat: "%d/%m/%Y" };
const DAY_FIRST_TIME = { timestampFormat: "%d/%m/%Y %H:%M" };

test.each([
  [["01/13/2024"], DAY_FIRST, "dateFormat", "01/13/2024"],
  [["01/02/2024", "01/13/2024"], DAY_FIRST, "dateFormat", "01/13/2024"],
  [["01/02/2024", "n/a"], DAY_FIRST, "dateFormat", "n/a"],
  [["01/02/2024", "2024-01-13"], DAY_FIRST, "dateFormat", "2024-01-13"],
  [["13.02.2024"], DAY_FIRST, "dateFormat", "13.02.2024"],
  [["2024/02/13"], DAY_FIRST, "dateFormat", "2024/02/13"],
  [["03-04-2024"], DAY_FIRST, "dateFormat", "03-04-2024"],
  [["01/13/2024 10:00"], DAY_FIRST, "dateFormat", "01/13/2024 10:00"],
  [["01/13/2024 10:00"], DAY_FIRST_TIME, "timestampFormat", "01/13/2024 10:00"],
  [["01/02/2024 10:00", "01/13/2024 10:00"], DAY_FIRST_TIME, "timestampFormat", "01/13/2024 10:00"],
  [["01/13/2024"], DAY_FIRST_TIME, "timestampFormat", "01/13/2024"],
  [["13.02.2024", "2024/02/14"], DAY_FIRST, "dateFormat", "13.02.2024"],
  [["31/01/2026 10:00 +0200"], DAY_FIRST_TIME, "timestampFormat", "31/01/2026 10:00 +0200"],
  [
    ["2026-01-31 10:00:00 CET"],
    { timestampFormat: "%Y-%m-%d %H:%M:%S %Z" },
    "timestampFormat",
    "2026-01-31 10:00:00 CET",
  ],
  [
    ["+02 2026-01-31 10:00"],
    { timestampFormat: "%z %Y-%m-%d %H:%M" },
    "timestampFormat",
    "+02 2026-01-31 10:00",
  ],
  [["Mon 31 Jan 2026"], { dateFormat: "%a %d %b %Y" }, "dateFormat", "Mon 31 Jan 2026"],
] as const)(
  "inspectFiles() reads %p only in the configured format, and names the value",
  async (texts, csv, option, value) => {
    const files = { "a.csv": "day\n\n", "b.csv": `day\n${texts.join("\n")}\n` };
    const { columns, rows, notes } = await readTable(files, { csv });
    expect([columns, rows.flat().filter((text) => text !== null)]).toEqual([["day:VARCHAR"], [...texts]]);
    const format = Object.values(csv)[0];
    expect(notes).toEqual([
      `column day contains "${value}" in b.csv, which does not match csv.${option} (${format}), so it stays text; correct the value or the option`,
    ]);
  },
);

test.each([
  ["%Y-%m-%d %H:%M:%S %z", ["2026-01-31 10:00:00 +0200", "2026-01-31 10:00:00 -05"], ["08:00", "15:00"]],
  ["%d.%m.%Y %H:%M%z", ["31.01.2026 10:00+02:00", "31.01.2026 10:00+0530"], ["08:00", "04:30"]],
  ["%a, %d %b %Y %H:%M:%S %z", ["Sat, 31 Jan 2026 10:00:00 +0200"], ["08:00"]],
  ["%d/%b/%Y:%H:%M:%S %z", ["31/Jan/2026:10:00:00 +0200"], ["08:00"]],
] as const)(
  "inspectFiles() reads timestamps with an offset by %s",
  async (timestampFormat, texts, clocks) => {
    const text = `at\n${texts.map((one) => `"${one}"`).join("\n")}\n`;
    const { columns, rows, notes } = await readTable({ "t.csv": text }, { csv: { timestampFormat } });
    expect(columns).toEqual([`at:TIMESTAMP WITH TIME ZONE ${timestampFormat}`]);
    expect(rows.flat()).toEqual(clocks.map((clock) => `2026-01-31 ${clock}:00+00`));
    expect(notes).toEqual([]);
  },
);

test("inspectFiles() reads other columns as usual beside a configured format", async () => {
  const text = "day,iso,at,on,code\n13/01/2024,2024-01-13,13/01/2024 10:00,2024-01-13 10:00:00,1.2.3\n";
  const { columns, notes } = await readTable({ "t.csv": text }, { csv: DAY_FIRST });
  expect(columns).toEqual([
    "day:DATE %d/%m/%Y",
    "iso:DATE",
    "at:TIMESTAMP %d/%m/%Y %H:%M",
    "on:TIMESTAMP",
    "code:VARCHAR",
  ]);
  expect(notes).toEqual([]);
});

test("inspectFiles() decides a column from all files, in any order", async () => {
  const files = {
    "a.csv": "id,day,discount,code\n1,01/02/2024,,12\n",
    "b.csv": "id,day,discount,code\n2,02/13/2024,7,x1\n",
  };
  const { columns, rows } = await readTable(files);
  expect(columns).toEqual(["id:BIGINT", "day:DATE %m/%d/%Y", "discount:BIGINT", "code:VARCHAR"]);
  expect(rows).toEqual([
    ["1", "2024-01-02", null, "12"],
    ["2", "2024-02-13", "7", "x1"],
  ]);
  const reversed = await readTable(Object.fromEntries(Object.entries(files).reverse()));
  expect(reversed.columns).toEqual(columns);
});

test("inspectFiles() reads numbers only with the configured separators", async () => {
  const csv = { delimiter: ";", decimalSeparator: ",", thousandsSeparator: "." };
  const text = "price;count;version\n1.234,50;1.234;1.2\n0,5;12;10\n";
  const { columns, rows } = await readTable({ "t.csv": text }, { csv });
  expect(columns).toEqual(["price:DECIMAL(18,2)", "count:BIGINT", "version:VARCHAR"]);
  expect(rows).toEqual([
    ["1234.50", "1234", "1.2"],
    ["0.50", "12", "10"],
  ]);
});

test("inspectFiles() reads fractions as DOUBLE if configured, and uses configured formats and types", async () => {
  expect(await readColumn(["19.99"], { fractions: "double" })).toEqual(["DOUBLE", "19.99"]);
  expect(await readColumn(["03/04/24"], { csv: { dateFormat: "%d/%m/%y" } })).toEqual([
    "DATE %d/%m/%y",
    "2024-04-03",
  ]);
  expect(await readColumn(["007", "12"], { types: { x: "INTEGER" } })).toEqual(["INTEGER", "7", "12"]);
  expect(await readColumn(["1.50"], { types: { x: "DECIMAL(9,1)" } })).toEqual(["DECIMAL(9,1)", "1.5"]);
});

test("inspectFiles() accepts aliases of types, and nothing but types", async () => {
  expect(await readColumn(["7"], { types: { x: "int4" } })).toEqual(["INTEGER", "7"]);
  for (const type of ["INTEGER), (SELECT 1", "VARCHAR) || ('x'", "INTEGER; SELECT 1", "ENUM('a')"]) {
    expect(await rejection(readColumn(["1"], { types: { x: type } }))).toMatchObject({
      code: "invalid_input",
    });
  }
});

test.each([
  [{ thousandsSeparator: "." }, "csv.thousandsSeparator"],
  [{ thousandsSeparator: "-" }, "csv.thousandsSeparator"],
  [{ decimalSeparator: "0" }, "csv.decimalSeparator"],
  [{ dateFormat: "%d/%m/%Y %H:%M" }, "csv.dateFormat"],
  [{ delimiter: "\n" }, "csv.delimiter"],
  [{ names: ["a", "A"] }, "csv.names"],
])("inspectFiles() rejects contradictory options: %p", async (csv, option) => {
  expect((await rejection(readColumn(["1"], { csv }))).details).toMatchObject({ what: option });
});

test.each([
  [
    "DATE",
    "2024-01-01",
    ["99-1-1(BC)", "epoch     ", "infinity  ", "-2024-1-01", "20240-1-01", "-024-01-01"],
  ],
  [
    "TIMESTAMP",
    "2024-01-01 10:00:00",
    [
      "2024-01-01 24:00:00",
      "-024-01-01 10:00:00",
      "2024-01-01 10:00:0Z",
      "2024-01-01 10:00:0 ",
      "2024-01-01 10:00+01",
    ],
  ],
  ["TIMESTAMP WITH TIME ZONE", "2024-01-01T10:00:00Z", ["2024-01-01T10:00:00+99:99", "2024-01-01T10:00:00"]],
  ["DOUBLE", "1.5e-7", ["1.5e-400", "1.23456e-322", "1.5e400", "0.12345678901234567891"]],
])("openFile() rejects texts that a known %s does not preserve", async (type, good, odd) => {
  const { reading } = await readTable({ "t.csv": `x\n${good}\n` });
  expect(reading.columns[0]!.type).toBe(type);
  for (const text of odd) {
    const error = await rejection(
      readTable({ "t.csv": `x\n"${text}"\n` }, { look: "columns", known: reading }),
    );
    expect(error).toMatchObject({ code: "file_value_invalid", details: { line: 2, value: text } });
  }
});

test.each([
  ["INTEGER[]", "[1.7]"],
  ["TIME", "10:00:00.1234567"],
  ["int4", "1.7"],
  ["numeric(5,1)", "1.7777"],
  ["DOUBLE", "1e-999"],
  ["INTEGER", "1.7"],
  ["INTEGER", "1e3"],
  ["INTEGER", "3000000000"],
  ["DECIMAL(9,1)", "1.55"],
  ["DATE", "tomorrow"],
  ["BOOLEAN", "maybe"],
  ["DOUBLE", "1e999"],
])("openFile() rejects a value that a configured %s cannot hold: %s", async (type, text) => {
  expect(await rejection(readColumn(["1", text], { types: { x: type } }))).toMatchObject({
    code: "file_value_invalid",
    details: { file: "t.csv", column: "x" },
  });
});
