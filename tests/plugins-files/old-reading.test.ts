import { expect, test } from "bun:test";
import { join } from "node:path";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import { makeFolder, type Folder } from "./support.ts";
import { syncFolder } from "./sync-folder.ts";

/** Renames the keys of the stored readings to those of the previous release. */
async function age(folder: Folder): Promise<string> {
  await using database = await openDatabase({ path: join(folder.path, "extract/extract.duckdb") });
  await using connection = await database.connect();
  for (const column of ["reading", "state"])
    await connection.run(`UPDATE _cursor SET ${column} = replace(${column}, '"isConfigured":', '"given":')`);
  const rows = await connection.rows<{ text: string }>("SELECT concat(reading, state) AS text FROM _cursor");
  return rows.map(({ text }) => text).join();
}

test("a state of the previous release still determines how files are read", async () => {
  await using folder = await makeFolder();
  const options = { path: "data", tables: { t: { types: { v: "BIGINT" } } } };
  await folder.write("data/t.csv", "id,v\n1,007\n2,8\n");
  await syncFolder(folder, options);
  expect(await age(folder)).toMatch(/"given":true.*"given":true/);
  const unchanged = await syncFolder(folder, options);
  expect(unchanged).toMatchObject({ published: false, errors: [] });
  expect(unchanged.tables[0]).toMatchObject({ status: "unchanged", rowsRead: 0, notes: [] });
  await folder.write("data/t.csv", "id,v\n1,007\n2,08\n");
  const changed = await syncFolder(folder, options);
  // Only a configured type accepts leading zeros.
  expect(changed.errors).toEqual([]);
  expect(changed.tables[0]).toMatchObject({ rows: 2, notes: [], schemaChanges: [] });
});
