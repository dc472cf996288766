import { expect, test } from "bun:test";

import { rejection } from "../support.ts";
import { readTable, type ReadTable } from "./support.ts";

/** The rows by column, without nulls. */
const recordsOf = ({ reading, rows }: ReadTable) =>
  rows.map((row) => {
    const values = row.map((value, at) => [reading.columns[at]!.name, value] as const);
    return Object.fromEntries(values.filter(([, value]) => value !== null));
  });

test.each([
  [
    "repeated names",
    { "a.csv": "id,amount,amount\n1,10,20\n", "b.csv": "id,amount,amount,amount_1\n2,30,40,99\n" },
    [
      { id: "1", amount: "10", amount_2: "20" },
      { id: "2", amount: "30", amount_2: "40", amount_1: "99" },
    ],
  ],
  [
    "empty names",
    { "a.csv": "id,,x\n1,nameless,5\n", "b.csv": "id,x,Column1\n2,5,named\n" },
    [
      { id: "1", column1_1: "nameless", x: "5" },
      { id: "2", x: "5", Column1: "named" },
    ],
  ],
  [
    "names of one file that differ by case",
    { "a.csv": "ID,ID,id_1\n1,2,3\n" },
    [{ ID: "1", ID_2: "2", id_1: "3" }],
  ],
  [
    "names of files that agree",
    { "a.csv": "id,id,\n1,2,3\n", "b.csv": "id,id,\n4,5,6\n" },
    [
      { id: "1", id_1: "2", column2: "3" },
      { id: "4", id_1: "5", column2: "6" },
    ],
  ],
])("inspectFiles() generates no name that a column has: %s", async (_title, files, records) => {
  for (const order of [Object.entries(files), Object.entries(files).toReversed()]) {
    const found = recordsOf(await readTable(Object.fromEntries(order)));
    expect(found).toHaveLength(records.length);
    expect(found).toEqual(expect.arrayContaining([...records]));
  }
});

test("inspectFiles() rejects one generated name for two columns", async () => {
  const error = await rejection(
    readTable({ "a.csv": "id,,x\n1,2,3\n", "b.csv": "id,column1,column1\n4,5,6\n" }),
  );
  expect(error).toMatchObject({ code: "file_unreadable" });
  expect(error.message).toContain('its column "column1" would be named "column1_1", like "" in a.csv');
});

test("inspectFiles() does not reuse the type of another column with the same generated name", async () => {
  const csv = { dateFormat: "%d.%m.%Y" };
  const first = { "a.csv": "day,day\n01.02.2026,02.02.2026\n" };
  const { reading: known } = await readTable(first, { csv });
  const read = await readTable({ ...first, "b.csv": "day,day_1\n03.02.2026,late\n" }, { csv, known });
  expect(read.columns).toEqual(["day:DATE %d.%m.%Y", "day_2:DATE %d.%m.%Y", "day_1:VARCHAR"]);
});

test("inspectFiles() requires another inspection if a file has a column with a generated name", async () => {
  const { reading: known } = await readTable({ "a.csv": "id,id\n1,2\n" });
  expect(known.columns).toEqual([
    { name: "id", type: "BIGINT" },
    { name: "id_1", type: "BIGINT", key: "id" },
  ]);
  const error = await rejection(readTable({ "a.csv": "id,id_1\n1,2\n" }, { look: "columns", known }));
  expect(error).toMatchObject({ code: "file_reading_outdated" });
  expect(error.message).toContain('its column "id_1" has a name that was generated for another column');
});
