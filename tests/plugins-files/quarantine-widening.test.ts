import { afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import type { ExtractStats, TablePlan } from "../../lib/extract/mod.ts";
import { makeFolder, type Folder } from "./support.ts";
import { syncFolder } from "./sync-folder.ts";

let folder: Folder;
beforeEach(async () => {
  folder = await makeFolder();
});
afterEach(async () => {
  await folder[Symbol.asyncDispose]();
});

type Format = "csv" | "ndjson";

/** Writes a file of table `t` with these values, as SQL, in its column `v`. */
async function write(format: Format, name: string, values: readonly string[]): Promise<void> {
  const lines =
    format === "csv"
      ? ["id,v", ...values.map((value, at) => `${at},${value.replaceAll('"', "")}`)]
      : values.map((value, at) => `{"id":${at},"v":${value}}`);
  await folder.write(`data/t/${name}.${format}`, `${lines.join("\n")}\n`);
}

const sync = (plan: Partial<TablePlan> = {}): Promise<ExtractStats> =>
  syncFolder(folder, { path: "data" }, { plan: { quarantine: true, ...plan } });

async function typeAndSum(): Promise<readonly [string, string]> {
  await using database = await openDatabase({
    path: join(folder.path, "extract/extract.duckdb"),
    readOnly: true,
  });
  await using connection = await database.connect();
  const [row] = await connection.rows<{ type: string; greatest: string }>(
    "SELECT any_value(typeof(v)) AS type, max(v)::VARCHAR AS greatest FROM t",
  );
  return [row!.type, row!.greatest];
}

const hundred = Array.from({ length: 100 }, (_, at) => String(at));
const dates = hundred.map((at) => `"2026-01-${String((Number(at) % 28) + 1).padStart(2, "0")}"`);
const withOne = (values: readonly string[], ...more: readonly string[]) => [...values.slice(0, 99), ...more];

const formats: readonly Format[] = ["csv", "ndjson"];
for (const format of formats) {
  const cases: readonly (readonly [what: string, was: readonly string[], value: string, type: string])[] = [
    ["a fraction", hundred, "100.5", "DECIMAL(18,1)"],
    ["a longer fraction", withOne(hundred, "1.5"), "100.123", "DECIMAL(18,3)"],
    ["scientific notation", hundred, "1.5e3", "DOUBLE"],
    ["a date with a time", dates, '"2026-02-01 10:00:00"', "TIMESTAMP"],
  ];
  for (const [what, was, value, type] of cases) {
    test(`${what} among the values of a ${format} table widens its column, and text beside it is quarantined`, async () => {
      await write(format, "a", was);
      expect((await sync()).errors).toEqual([]);
      await write(format, "b", withOne(was, value));
      const wider = await sync();
      expect(wider.errors).toEqual([]);
      expect(wider.tables[0]).toMatchObject({ rowsQuarantined: 0, rows: was.length + 100 });
      expect((await typeAndSum())[0]).toBe(type);
      await write(format, "c", withOne(was, '"abc"', value));
      const both = await sync();
      expect(both.errors).toEqual([]);
      expect(both.tables[0]).toMatchObject({ rowsQuarantined: 1, rows: was.length + 200 });
      expect((await typeAndSum())[0]).toBe(type);
    });
  }

  test(`a fraction after texts and a number too long for any type widens a ${format} column`, async () => {
    await write(format, "a", hundred);
    await sync();
    await write(format, "b", ['"x"', "12345678901234567890123456789012345678901", "7.25", ...hundred]);
    const stats = await sync();
    expect(stats.errors).toEqual([]);
    expect(stats.tables[0]).toMatchObject({ rowsQuarantined: 2, rows: 201 });
    expect(await typeAndSum()).toEqual(["DECIMAL(18,2)", "99.00"]);
  });

  test(`a ${format} file of fractions alone widens a column of whole numbers`, async () => {
    await write(format, "a", hundred);
    await sync();
    await write(
      format,
      "b",
      hundred.map((value) => `${value}.5`),
    );
    const stats = await sync();
    expect(stats.errors).toEqual([]);
    expect(stats.tables[0]).toMatchObject({ rowsQuarantined: 0, rows: 200 });
    expect(await typeAndSum()).toEqual(["DECIMAL(18,1)", "99.5"]);
  });

  test(`a new column in a ${format} file still quarantines text in a column of numbers`, async () => {
    await write(format, "a", hundred);
    await sync();
    const content =
      format === "csv"
        ? `id,v,w\n${hundred.map((at) => `${at},${at === "7" ? "abc" : at},1\n`).join("")}`
        : hundred.map((at) => `{"id":${at},"v":${at === "7" ? '"abc"' : at},"w":1}\n`).join("");
    await folder.write(`data/t/b.${format}`, content);
    const stats = await sync();
    expect(stats.errors).toEqual([]);
    expect(stats.tables[0]).toMatchObject({ rowsQuarantined: 1, rows: 199 });
    expect((await typeAndSum())[0]).toBe("BIGINT");
  });

  test(`a fraction in a ${format} table widens its column, and text becomes null if invalid values do`, async () => {
    const nulling = { quarantine: false, invalidValues: "null" } as const;
    await write(format, "a", hundred);
    expect((await sync(nulling)).tables[0]!.notes).toEqual([]);
    await write(format, "b", ['"x"', "7.25", ...hundred]);
    const wider = await sync(nulling);
    expect(wider.errors).toEqual([]);
    expect(wider.tables[0]).toMatchObject({ rows: 202, rowsQuarantined: 0 });
    expect(wider.tables[0]!.notes).toContain("v: 1 value is not DECIMAL(18,2) and was set to null");
    expect(await typeAndSum()).toEqual(["DECIMAL(18,2)", "99.00"]);
    // Under a frozen schema the fraction becomes null, too.
    await using other = await makeFolder();
    folder = other;
    const frozen = { ...nulling, schemaPolicy: "freeze" } as const;
    await write(format, "a", hundred);
    await sync(frozen);
    await write(format, "b", withOne(hundred, "100.5"));
    const stats = await sync(frozen);
    expect(stats.errors).toEqual([]);
    expect(stats.tables[0]!.notes).toEqual(["v: 1 value is not BIGINT and was set to null"]);
    const evolved = await sync({ ...frozen, schemaPolicy: "evolve" });
    expect(evolved.tables[0]!.notes[0]).toContain("values that do not fit were set to null, so the table");
    expect((await typeAndSum())[0]).toBe("DECIMAL(18,1)");
  });

  test(`a fraction in a ${format} file is quarantined if the schema is frozen`, async () => {
    await write(format, "a", hundred);
    await sync({ schemaPolicy: "freeze" });
    await write(format, "b", withOne(hundred, "100.5"));
    const stats = await sync({ schemaPolicy: "freeze" });
    expect(stats.errors).toEqual([]);
    expect(stats.tables[0]).toMatchObject({ rowsQuarantined: 1, rows: 199 });
  });
}

test("a whole number beyond BIGINT in JSON makes its column HUGEINT, and a wider field of a struct widens it", async () => {
  await write("ndjson", "a", hundred);
  await write(
    "ndjson",
    "a",
    hundred.map((at) => `{"n":${at},"l":[${at}]}`),
  );
  await sync();
  await write(
    "ndjson",
    "b",
    withOne(
      hundred.map((at) => `{"n":${at},"l":[${at}]}`),
      '{"n":1.5,"l":[9223372036854775808]}',
    ),
  );
  const stats = await sync();
  expect(stats.errors).toEqual([]);
  expect(stats.tables[0]).toMatchObject({ rowsQuarantined: 0, rows: 200 });
  expect((await typeAndSum())[0]).toBe("STRUCT(n DECIMAL(18,1), l DECIMAL(38,0)[])");
});
