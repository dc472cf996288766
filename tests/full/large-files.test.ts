import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { appendFile } from "node:fs/promises";
import { join } from "node:path";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import { describeChange } from "../../lib/extract/mod.ts";
import { makeFolder, type Folder } from "../plugins-files/support.ts";
import { syncFolder } from "../plugins-files/sync-folder.ts";

setDefaultTimeout(120_000);

let folder: Folder;
beforeEach(async () => {
  folder = await makeFolder();
});
afterEach(async () => {
  await folder[Symbol.asyncDispose]();
});

const OPTIONS = { path: "data" };

async function published(sql: string): Promise<readonly unknown[]> {
  const path = join(folder.path, "extract/extract.duckdb");
  await using database = await openDatabase({ path, readOnly: true });
  await using connection = await database.connect();
  return await connection.rows(sql);
}

const ROWS = 1_000_000;
const FORMATS = [
  {
    format: "csv",
    head: "id,amount,day,name\n",
    row: "1234567,1500.25,2024-02-29,some text\n",
    odd: "007,1500.25,2024-02-29,some text\n",
  },
  {
    format: "ndjson",
    head: "",
    row: '{"id":1234567,"amount":1500.25,"day":"2024-02-29","name":"some text"}\n',
    odd: '{"id":"007","amount":1500.25,"day":"2024-02-29","name":"some text"}\n',
  },
];

/** Files that are read by type while an automaton looks at them. */
describe("files: a large file", () => {
  test.each(FORMATS)("$format: a late value changes the column", async ({ format, head, row, odd }) => {
    const path = await folder.write(`data/t.${format}`, head + row.repeat(ROWS));
    expect((await syncFolder(folder, OPTIONS)).errors).toEqual([]);
    const sums =
      "SELECT count(*)::INTEGER AS rows, sum(amount)::VARCHAR AS amount, max(day)::VARCHAR AS day FROM t";
    const good = [{ rows: ROWS, amount: "1500250000.00", day: "2024-02-29" }];
    expect(await published(sums)).toEqual(good);
    await appendFile(path, row);
    const more = await syncFolder(folder, OPTIONS);
    expect(more.tables[0]!.schemaChanges).toEqual([]);
    expect(await published("SELECT count(*)::INTEGER AS rows FROM t")).toEqual([{ rows: ROWS + 1 }]);
    await appendFile(path, odd);
    const again = await syncFolder(folder, OPTIONS);
    expect(again.errors).toEqual([]);
    expect(again.tables[0]!.schemaChanges.map(describeChange)).toEqual([
      "column id changed from BIGINT to VARCHAR",
    ]);
    expect(await published("SELECT id, count(*)::INTEGER AS rows FROM t GROUP BY id ORDER BY id")).toEqual([
      { id: "007", rows: 1 },
      { id: "1234567", rows: ROWS + 1 },
    ]);
  });

  test("a bad record at its end is named by its line, and can be sorted out", async () => {
    const [{ head, row }] = FORMATS as [(typeof FORMATS)[number]];
    const path = await folder.write("data/t.csv", head + row.repeat(ROWS));
    await syncFolder(folder, OPTIONS);
    await appendFile(path, `1,2\n${row}`);
    const failed = await syncFolder(folder, OPTIONS);
    expect(failed.errors[0]!.error.message).toContain(`line ${ROWS + 2}`);
    expect(await published("SELECT count(*)::INTEGER AS rows FROM t")).toEqual([{ rows: ROWS }]);
    const sorted = await syncFolder(folder, OPTIONS, { plan: { quarantine: true } });
    expect(sorted.errors).toEqual([]);
    expect(sorted.tables[0]!.rowsQuarantined).toBe(1);
    expect(await published("SELECT count(*)::INTEGER AS rows FROM t")).toEqual([{ rows: ROWS + 1 }]);
  });
});
