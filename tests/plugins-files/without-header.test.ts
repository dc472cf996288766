import { expect, test } from "bun:test";

import { makeFolder } from "./support.ts";
import { syncFolder } from "./sync-folder.ts";

test("files without a header and with different numbers of columns are rejected, at the first read and later", async () => {
  await using folder = await makeFolder();
  const sync = async (csv: Readonly<Record<string, unknown>> = { header: false }) =>
    (await syncFolder(folder, { path: "data", csv })).errors.map(({ error }) => error.message);
  await folder.write("data/t/a.csv", "1,2\n");
  expect(await sync()).toEqual([]);
  await folder.write("data/t/b.csv", "3,4,5\n");
  const differs =
    'could not read "b.csv": it has 3 columns, but a.csv has 2; without a header, all files of a table must have the same columns';
  expect(await sync()).toEqual([differs]);
  expect(await sync({ header: false, delimiter: "," })).toEqual([differs]);
  expect(await sync({ names: ["x", "y"] })).toEqual([
    'could not read "b.csv": it has 3 columns, but csv.names has 2',
  ]);
});
