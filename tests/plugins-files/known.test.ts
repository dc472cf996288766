import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import { describeChange, type ExtractStats, type TablePlan } from "../../lib/extract/mod.ts";
import { makeFolder, type Folder } from "./support.ts";
import { syncFolder } from "./sync-folder.ts";

let folder: Folder;
beforeEach(async () => {
  folder = await makeFolder();
});
afterEach(async () => {
  await folder[Symbol.asyncDispose]();
});

interface Synced {
  readonly status: string;
  readonly changes: readonly string[];
  readonly error: string | null;
  readonly stats: ExtractStats;
}

/** Syncs the only table of the folder, with its published state. */
async function sync(options: Record<string, unknown> = {}, plan: Partial<TablePlan> = {}): Promise<Synced> {
  const stats = await syncFolder(folder, { path: "data", ...options }, { plan });
  const [table] = stats.tables;
  return {
    status: table!.status,
    changes: table!.schemaChanges.map(describeChange),
    error: stats.errors[0]?.error.message ?? null,
    stats,
  };
}

/** The published rows, in order, as texts, and the types of the columns. */
async function published(): Promise<{ rows: readonly string[]; types: string }> {
  await using database = await openDatabase({
    path: join(folder.path, "extract/extract.duckdb"),
    readOnly: true,
    settings: { preserve_insertion_order: "true" },
  });
  await using connection = await database.connect();
  const rows = await connection.rows<{ row: string }>(`SELECT concat_ws('|', *COLUMNS(*)) AS row FROM t`);
  const columns = await connection.describe("SELECT * FROM t");
  return {
    rows: rows.map(({ row }) => row),
    types: columns.map(({ name, type }) => `${name} ${type}`).join(", "),
  };
}

describe("files: a known table", () => {
  test("a column that becomes JSON text is reported, also if it was text, and does not change a frozen table", async () => {
    await folder.write("data/t.ndjson", '{"t":"open","n":5}\n');
    await sync();
    await folder.write("data/t.ndjson", '{"t":"open","n":5}\n{"t":["x"],"n":{"a":1}}\n');
    const frozen = await sync({}, { schemaPolicy: "freeze" });
    expect(frozen.error).toContain("column t changed from VARCHAR to JSON text");
    const again = await sync();
    expect(again.changes).toEqual([
      "column t changed from VARCHAR to JSON text, in which strings are quoted",
      "column n changed from BIGINT to JSON text, in which strings are quoted",
    ]);
    expect(await published()).toEqual({
      rows: ['"open"|5', '["x"]|{"a":1}'],
      types: "t VARCHAR, n VARCHAR",
    });
    expect((await sync()).changes).toEqual([]);
    await folder.write("data/t.ndjson", '{"t":"open","n":5}\n');
    expect((await sync()).changes).toEqual([]);
    const { tables } = await syncFolder(folder, { path: "data" }, { isKnown: false });
    expect(tables[0]!.schemaChanges.map(describeChange)).toEqual([
      "column t changed from JSON text to VARCHAR",
      "column n changed from JSON text to BIGINT; it stays published as VARCHAR until a sync with --full",
    ]);
  });

  test("a later date or timestamp that a first read would keep as text makes its column text", async () => {
    await folder.write(
      "data/t/a.csv",
      "id,d,e,m,c,f\n1,2026-01-31,2026-01-31,2026-01-31 10:00:00,10:00:00,31.01.2026\n",
    );
    await sync();
    expect((await published()).types).toBe("id BIGINT, d DATE, e DATE, m TIMESTAMP, c TIME, f DATE");
    await folder.write(
      "data/t/b.csv",
      "id,d,e,m,c,f\n2,infinity,2026-01-1x,12026-01-31 10:00:00,24:00:00,infinity\n",
    );
    expect((await sync()).error).toBeNull();
    expect(await published()).toEqual({
      rows: [
        "1|2026-01-31|2026-01-31|2026-01-31 10:00:00|10:00:00|31.01.2026",
        "2|infinity|2026-01-1x|12026-01-31 10:00:00|24:00:00|infinity",
      ],
      types: "id BIGINT, d VARCHAR, e VARCHAR, m VARCHAR, c VARCHAR, f VARCHAR",
    });
  });

  test("a later value of another type changes the column, and all rows are read again", async () => {
    await folder.write("data/t/a.csv", "id,amount\n1,10\n2,20\n");
    await folder.write("data/t/b.csv", "id,amount\n3,30\n");
    await sync();
    await folder.write("data/t/b.csv", "id,amount\n3,30.25\nx4,40\n");
    const again = await sync();
    expect(again.error).toBeNull();
    expect(again.changes).toEqual([
      "column id changed from BIGINT to VARCHAR",
      "column amount changed from BIGINT to DECIMAL(18,2)",
    ]);
    expect(await published()).toEqual({
      rows: ["1|10.00", "2|20.00", "3|30.25", "x4|40.00"],
      types: "id VARCHAR, amount DECIMAL(18,2)",
    });
    expect(await sync()).toMatchObject({ status: "unchanged", error: null });
  });

  test("a known date order applies to ambiguous dates; a date in the other order makes the column text", async () => {
    await folder.write("data/t.csv", "day\n31/12/2023\n");
    await sync();
    await folder.write("data/t.csv", "day\n03/04/2024\n");
    await sync();
    expect(await published()).toEqual({ rows: ["2024-04-03"], types: "day DATE" });
    await folder.write("data/t.csv", "day\n31/12/2023\n12/31/2023\n");
    await sync();
    expect(await published()).toEqual({ rows: ["31/12/2023", "12/31/2023"], types: "day VARCHAR" });
  });

  test("another delimiter is a schema change", async () => {
    await folder.write("data/t.csv", "id,name\n1,a\n");
    await sync();
    await folder.write("data/t.csv", "id;name\n2;b\n");
    const options = { csv: { delimiter: ";" } };
    const again = await sync(options);
    expect(again.changes).toEqual([
      'its files were read as csv, delimiter ,, quote ", header, encoding utf-8 and are now read as csv, delimiter ;, quote ", header, encoding utf-8',
    ]);
    await folder.write("data/t.csv", "id,name\n3,c\n");
    const frozen = await sync({ csv: { delimiter: "," } }, { schemaPolicy: "freeze" });
    expect(frozen.error).toMatch(/frozen.*its files were read as/);
    expect((await published()).rows).toEqual(["2|b"]);
  });

  test("a single file with a changed delimiter is rejected, and the published rows stay", async () => {
    await folder.write("data/t.csv", "id,name\n1,a\n");
    await sync();
    await folder.write("data/t.csv", "id;name\n2;b\n");
    const again = await sync();
    expect(again.error).toMatch(/t\.csv.*its delimiter is ";", but that of its table is ","/);
    expect((await published()).rows).toEqual(["1|a"]);
  });

  test("added and removed columns are changes, and a removed one stays as null", async () => {
    await folder.write("data/t.csv", "id,name\n1,a\n");
    await sync();
    await folder.write("data/t.csv", "extra,id\nx,2\n");
    const again = await sync();
    expect(again.changes).toEqual([
      "column extra VARCHAR was added",
      "column name VARCHAR was removed; it is kept until a sync with --full",
    ]);
    expect((await published()).types).toBe("id BIGINT, name VARCHAR, extra VARCHAR");
    await folder.write("data/t.csv", "id,name\n1,a\n");
    await sync();
    expect((await published()).rows).toEqual(["1|a"]);
  });

  test("a column keeps its type if a file has no value of it anymore", async () => {
    await folder.write("data/t.csv", "id,day\n1,2024-01-01\n");
    await sync();
    await folder.write("data/t.csv", "id,day\n");
    expect(await sync()).toMatchObject({ changes: [], error: null });
    expect(await published()).toEqual({ rows: [], types: "id BIGINT, day DATE" });
  });

  test("a row of another width fails the table, and a quarantine rejects the row", async () => {
    const good = Array.from({ length: 60 }, (_, id) => `${id},n${id}`);
    await folder.write("data/t.csv", `id,name\n${good.join("\n")}\n`);
    await sync();
    await folder.write("data/t.csv", `id,name\n${good.join("\n")}\n60,n60\n61\nx62,n62\n`);
    expect((await sync()).error).toMatch(/"t\.csv", line 63: it has 1 value, the header has 2/);
    expect((await published()).rows).toHaveLength(60);
    const kept = await sync({}, { quarantine: true });
    expect(kept.error).toBeNull();
    expect(kept.stats.tables[0]).toMatchObject({ rows: 61, rowsQuarantined: 2 });
    const rejected = (await readFile(kept.stats.tables[0]!.quarantinePath!, "utf8")).trim().split("\n");
    expect(rejected.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { origin: "t.csv", row: 62, record: { line: 63, text: "61" } },
      { origin: "t.csv", row: 63, column: "id", value: "x62" },
    ]);
    expect(await published()).toMatchObject({ types: "id BIGINT, name VARCHAR" });
  });

  test("JSON: a new key and a value of another kind are found while reading", async () => {
    await folder.write("data/t.ndjson", '{"id":1}\n');
    await sync();
    await folder.write("data/t.ndjson", '{"id":1}\n{"id":2.5,"who":{"name":"Ada"}}\n');
    const again = await sync();
    expect(again.error).toBeNull();
    expect((await published()).types).toBe('id DECIMAL(18,1), who STRUCT("name" VARCHAR)');
    await folder.write("data/t.ndjson", '{"id":1}\n{"id":2,"who":{"name":"Ada","age":36}}\n');
    await sync();
    expect((await published()).types).toBe('id DECIMAL(18,1), who STRUCT("name" VARCHAR, "age" BIGINT)');
  });

  test("options that change read all files again", async () => {
    await folder.write("data/t.csv", "price\n1.5\n");
    await sync();
    expect((await published()).types).toBe("price DECIMAL(18,1)");
    await sync({ fractions: "double" });
    expect((await published()).types).toBe("price DOUBLE");
    await rm(join(folder.path, "data/t.csv"));
  });
});
