import { afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import { describeChange, type ExtractStats, type TablePlan } from "../../lib/extract/mod.ts";
import { makeFolder, type Folder } from "./support.ts";
import { syncFolder } from "./sync-folder.ts";

const csv = { dateFormat: "%d/%m/%Y", timestampFormat: "%d/%m/%Y %H:%M" };

let folder: Folder;
beforeEach(async () => {
  folder = await makeFolder();
});
afterEach(async () => {
  await folder[Symbol.asyncDispose]();
});

const sync = (plan: Partial<TablePlan> = {}) => syncFolder(folder, { path: "data", csv }, { plan });

const outcome = ({ tables, errors }: ExtractStats) => ({
  changes: tables[0]!.schemaChanges.map(describeChange),
  error: errors[0]?.error.message ?? null,
});

async function published(): Promise<{ readonly types: readonly string[]; readonly rows: readonly string[] }> {
  await using database = await openDatabase({
    path: join(folder.path, "extract/extract.duckdb"),
    readOnly: true,
    settings: { preserve_insertion_order: "true" },
  });
  await using connection = await database.connect();
  const rows = await connection.rows<{ row: string }>(`SELECT concat_ws('|', *COLUMNS(*)) AS row FROM t`);
  const columns = await connection.describe("SELECT * FROM t");
  return { rows: rows.map(({ row }) => row), types: columns.map(({ name, type }) => `${name} ${type}`) };
}

test("a published column in a configured format keeps it: another value is an error, or quarantined", async () => {
  const good = Array.from({ length: 30 }, (_, at) => `01/02/${2001 + at}`);
  await folder.write("data/t.csv", `d\n${good.join("\n")}\n`);
  await sync();
  const before = await published();
  expect(before.types).toEqual(["d DATE"]);
  for (const other of ["02/30/2024", "2024-01-05", "n/a"]) {
    await folder.write("data/t.csv", `d\n${good.join("\n")}\n${other}\n`);
    expect(outcome(await sync())).toEqual({
      changes: [],
      error: `"t.csv", line 32, column d: "${other}" is not DATE (%d/%m/%Y)`,
    });
    expect(await published()).toEqual(before);
  }
  const kept = await sync({ quarantine: true });
  expect(outcome(kept)).toEqual({ changes: [], error: null });
  expect(kept.tables[0]).toMatchObject({ rows: 30, rowsQuarantined: 1 });
  expect(await published()).toEqual(before);
});

test("a published column in a configured format keeps it if the files are described again for another reason", async () => {
  await folder.write("data/t.csv", "at,n\n01/02/2024 10:00,1\n");
  await sync();
  await folder.write("data/t.csv", "at,n,new\n13/13/2024 10:00,1,x\n");
  expect(outcome(await sync()).error).toBe(
    '"t.csv", line 2, column at: "13/13/2024 10:00" is not TIMESTAMP (%d/%m/%Y %H:%M)',
  );
  expect((await published()).rows).toEqual(["2024-02-01 10:00:00|1"]);
  await folder.write("data/t.csv", "at,n,new\n13/12/2024 10:00,1.5,x\n");
  expect(outcome(await sync()).error).toBeNull();
  expect((await published()).rows).toEqual(["2024-12-13 10:00:00|1.5|x"]);
});

test("a type decided only from the start of a large file may change: the column becomes text, with a note", async () => {
  const start = Array.from({ length: 21_000 }, () => `01/02/2024,${"x".repeat(100)}`);
  await folder.write("data/t.csv", `d,text\n${start.join("\n")}\n02/30/2024,x\n`);
  expect(outcome(await sync()).error).toBeNull();
  expect((await published()).types).toEqual(["d VARCHAR", "text VARCHAR"]);
});

test("an invalid strptime format is an error of the table that names the option", async () => {
  await folder.write("data/t.csv", "d,n\n2026-01-31,1\n");
  await folder.write("data/j.ndjson", '{"n":1}\n');
  for (const [option, format] of [
    ["dateFormat", "%Q"],
    ["dateFormat", "%d.%m.%Y%"],
    ["dateFormat", ""],
    ["timestampFormat", "%s"],
    ["timestampFormat", "%d.%m.%Y it's %k"],
  ] as const) {
    const stats = await syncFolder(folder, { path: "data", csv: { [option]: format } });
    expect(stats.errors.map(({ table }) => table)).toEqual(["t"]);
    expect(stats.errors[0]!.error.message).toContain(
      `csv.${option} is not valid: ${JSON.stringify(format)} is not a strptime format: `,
    );
  }
});

test("CSV options that contradict the delimiter of the files are errors that name the option", async () => {
  await folder.write("data/t.csv", "d,n\n2026-01-31,1\n");
  for (const [csv, message] of [
    [{ quote: "," }, 'csv.quote is not valid: it also occurs in the delimiter of the files, ","'],
    [{ escape: "," }, 'csv.escape is not valid: it also occurs in the delimiter of the files, ","'],
    [{ nullValues: ['"'] }, 'csv.nullValues is not valid: "\\"" contains the quote'],
    [{ nullValues: ["a,"] }, 'csv.nullValues is not valid: "a," contains the delimiter'],
  ] as const) {
    const stats = await syncFolder(folder, { path: "data", csv });
    expect(stats.errors[0]!.error.message).toEndWith(message);
  }
});
