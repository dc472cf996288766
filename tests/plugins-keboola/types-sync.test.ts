import { describe, expect, test } from "bun:test";
import { tmpdir } from "node:os";

import { fakeKeboola, type KeboolaScript, type TypedColumn } from "../fakes/keboola/mod.ts";
import { described, native, sampleProject } from "./project.ts";
import { errorsOf, exportsOf, openProject } from "./support.ts";

const both: readonly [string, KeboolaScript][] = [
  ["Parquet", {}],
  ["CSV", { parquet: false }],
];
const TYPED: readonly TypedColumn[] = [
  { name: "id", type: "NUMBER", length: "18,0" },
  { name: "big", type: "NUMBER", length: "38,0" },
  { name: "money", type: "NUMBER", length: "38,9" },
  { name: "ratio", type: "FLOAT" },
  { name: "flag", type: "BOOLEAN" },
  { name: "day", type: "DATE" },
  { name: "moment", type: "TIMESTAMP_NTZ", length: 9 },
  { name: "instant", type: "TIMESTAMP_TZ", length: 9 },
  { name: "local", type: "TIMESTAMP_LTZ", length: 9 },
  { name: "clock", type: "TIME", length: 9 },
  { name: "tree", type: "VARIANT" },
  { name: "text", type: "VARCHAR", length: 16_777_216 },
];

describe("a typed table", () => {
  for (const [title, script] of both) {
    test(`keeps every value, null and the empty text from ${title}`, async () => {
      const keboola = fakeKeboola(script);
      keboola.storage.createTable("in.c-crm.typed", {
        columns: TYPED,
        primaryKey: ["id"],
        rows: [
          {
            id: "1",
            big: "12345678901234567890123456789012345678",
            money: "12345678901234567890123456789.123456789",
            ratio: "0.1",
            flag: "true",
            day: "2026-01-31",
            moment: "2026-01-31 10:00:00.123456",
            // As Snowflake prints them by default.
            instant: "2026-01-31 02:00:00.000 -0800",
            local: "2026-01-31 10:00:00.500 +0000",
            clock: "23:59:59",
            tree: '{"a": [1, null]}',
            text: "",
          },
          { id: "2", text: "null" },
          { id: "3", text: null },
        ],
      });
      await using project = await openProject(keboola);
      // The list does not tell these types: the first read finds and declares them.
      expect(errorsOf(await project.sync({ "in.c-crm.typed": {} }))).toEqual([]);
      const types = await project.rows<{ column_name: string; column_type: string }>(
        "SELECT column_name, column_type FROM (DESCRIBE typed)",
      );
      expect(Object.fromEntries(types.map((one) => [one.column_name, one.column_type]))).toEqual({
        id: "BIGINT",
        big: "DECIMAL(38,0)",
        money: "DECIMAL(38,9)",
        ratio: "DOUBLE",
        flag: "BOOLEAN",
        day: "DATE",
        moment: "TIMESTAMP",
        instant: "TIMESTAMP WITH TIME ZONE",
        local: "TIMESTAMP WITH TIME ZONE",
        clock: "TIME",
        tree: "VARCHAR",
        text: "VARCHAR",
      });
      const [first, second, third] = await project.rows(
        `SELECT big::VARCHAR AS big, money::VARCHAR AS money, ratio, flag, day::VARCHAR AS day, moment::VARCHAR AS moment,
           epoch_ms(instant)::BIGINT AS instant, epoch_ms(local)::BIGINT AS local, clock::VARCHAR AS clock, tree, text
         FROM typed ORDER BY id`,
      );
      expect(first).toEqual({
        big: "12345678901234567890123456789012345678",
        money: "12345678901234567890123456789.123456789",
        ratio: 0.1,
        flag: true,
        day: "2026-01-31",
        moment: "2026-01-31 10:00:00.123456",
        instant: BigInt(Date.parse("2026-01-31T10:00:00Z")),
        local: BigInt(Date.parse("2026-01-31T10:00:00.500Z")),
        clock: "23:59:59",
        tree: '{"a": [1, null]}',
        text: "",
      });
      expect(second).toMatchObject({ big: null, money: null, flag: null, instant: null, text: "null" });
      expect(third).toMatchObject({ text: null });
    });
  }

  test("has the same rows from Parquet with native types, from Parquet with text and from CSV", async () => {
    const found = [];
    for (const script of [{ parquetTypes: "native" }, {}, { parquet: false }] as readonly KeboolaScript[]) {
      await using project = await openProject(sampleProject(script));
      expect(errorsOf(await project.sync({ "in.c-crm.payments": {} }))).toEqual([]);
      const rows = await project.rows<{ row: string }>(
        "SELECT to_json(p)::VARCHAR AS row FROM payments p ORDER BY id",
      );
      found.push(rows.map(({ row }) => row));
    }
    expect(found[0]).toHaveLength(50);
    expect(found[1]).toEqual(found[0]!);
    expect(found[2]).toEqual(found[0]!);
  });

  test("keeps the types of BigQuery", async () => {
    for (const parquetTypes of ["native", "text"] as const) {
      const keboola = fakeKeboola({ backend: "bigquery", parquetTypes });
      keboola.storage.createTable("in.c-crm.typed", {
        columns: [
          { name: "id", type: "INT64" },
          { name: "money", type: "NUMERIC", length: "38,9" },
          { name: "local", type: "DATETIME" },
          { name: "moment", type: "TIMESTAMP" },
          { name: "ok", type: "BOOL" },
        ],
        rows: [
          {
            id: "9223372036854775807",
            money: "0.123456789",
            local: "2026-01-31 10:00:00",
            moment: "2026-01-31 10:00:00+00:00",
            ok: "true",
          },
        ],
      });
      await using project = await openProject(keboola);
      expect(errorsOf(await project.sync({ "in.c-crm.typed": {} }))).toEqual([]);
      const [row] = await project.rows(
        "SELECT id::VARCHAR AS id, money::VARCHAR AS money, typeof(local) AS local, typeof(moment) AS moment, epoch(moment)::INT AS at, ok FROM typed",
      );
      expect(row).toEqual({
        id: "9223372036854775807",
        money: "0.123456789",
        local: "TIMESTAMP",
        moment: "TIMESTAMP WITH TIME ZONE",
        at: Date.parse("2026-01-31T10:00:00Z") / 1000,
        ok: true,
      });
    }
  });

  for (const [title, script] of both) {
    test(`keeps rows whose only column is null, from ${title}`, async () => {
      const keboola = fakeKeboola(script);
      const columns: readonly TypedColumn[] = [{ name: "note", type: "VARCHAR" }];
      const rows = [{ note: null }, { note: "" }, { note: "x" }, { note: null }];
      keboola.storage.createTable("in.c-crm.wide", {
        columns: [...columns, { name: "n", type: "DATE" }],
        rows,
      });
      keboola.storage.createTable("in.c-crm.narrow", { columns, rows });
      keboola.storage.createTable("in.c-crm.text", {
        columns: ["note"],
        rows: [{ note: "" }, { note: "x" }],
      });
      await using project = await openProject(keboola);
      const stats = await project.sync({
        "in.c-crm.wide": { columns: ["note"] },
        "in.c-crm.narrow": {},
        "in.c-crm.text": {},
      });
      const counts = (table: string) =>
        project.rows(
          `SELECT count(*)::INT AS rows, count(note)::INT AS notes, count_if(note = '')::INT AS empty FROM ${table}`,
        );
      expect(await counts("wide")).toEqual([{ rows: 4, notes: 2, empty: 1 }]);
      expect(await counts("text")).toEqual([{ rows: 2, notes: 2, empty: 1 }]);
      if (title === "Parquet") expect(await counts("narrow")).toEqual([{ rows: 4, notes: 2, empty: 1 }]);
      else expect(errorsOf(stats)[0]).toContain("its null values are no rows");
    });
  }

  test("is read with the types of its definition, whatever users wrote about it", async () => {
    const keboola = fakeKeboola({ clock: { now: () => new Date("2026-05-01T00:00:00Z") } });
    keboola.storage.createTable("in.c-crm.typed", {
      columns: [{ name: "n", type: "NUMBER", length: "38,0" }],
      columnMetadata: { n: described("STRING") },
      rows: [{ n: "7" }],
    });
    await using project = await openProject(keboola, {}, { startsAt: new Date("2027-01-01T00:00:00Z") });
    expect(errorsOf(await project.sync({ "in.c-crm.typed": {} }))).toEqual([]);
    expect(await project.rows("SELECT typeof(n) AS type FROM typed")).toEqual([{ type: "DECIMAL(38,0)" }]);
    project.host.advance(600_000);
    const again = await project.sync({ "in.c-crm.typed": {} });
    expect(again).toMatchObject({ tablesSkipped: 1, schemaChanges: [] });
    expect(keboola.jobs).toHaveLength(1);
  });

  test("is read again with a type that changed", async () => {
    const keboola = fakeKeboola();
    const table = keboola.storage.createTable("in.c-crm.typed", {
      columns: [
        { name: "id", type: "NUMBER", length: "10,0" },
        { name: "n", type: "NUMBER", length: "10,2" },
      ],
      primaryKey: ["id"],
      columnMetadata: { id: native("NUMBER", "10,0"), n: native("NUMBER", "10,2") },
      rows: [{ id: "1", n: "7" }],
    });
    await using project = await openProject(keboola);
    const plan = { "in.c-crm.typed": { strategy: "incremental" } } as const;
    project.host.advance(600_000);
    expect(errorsOf(await project.sync(plan))).toEqual([]);
    table.changeType({ name: "n", type: "NUMBER", length: "12,2" });
    project.host.advance(600_000);
    expect(errorsOf(await project.sync(plan))).toEqual([]);
    expect(await project.rows("SELECT typeof(n) AS type, n::VARCHAR AS n FROM typed")).toEqual([
      { type: "DECIMAL(12,2)", n: "7.00" },
    ]);
    expect(keboola.jobs).toHaveLength(2);
  });
});

describe("an untyped table", () => {
  const bad = (script: KeboolaScript) => {
    const keboola = fakeKeboola(script);
    keboola.storage.createTable("in.c-crm.people", {
      columns: ["id", "amount", "name"],
      columnMetadata: { amount: described("NUMERIC", "12,2") },
      rows: [
        { id: "1", amount: "1.50", name: "NA" },
        { id: "2", amount: "12,5", name: "null" },
        { id: "3", amount: "1.555", name: "NaN" },
        { id: "4", amount: "", name: "" },
      ],
    });
    return keboola;
  };
  const PEOPLE = "in.c-crm.people";

  for (const [title, script] of both) {
    test(`fails with the column and the value that does not fit, from ${title}`, async () => {
      await using project = await openProject(bad({ ...script, shuffle: false }));
      const [error] = errorsOf(await project.sync({ [PEOPLE]: {} }));
      expect(error).toContain("file_value_invalid");
      expect(error).toContain('"12,5"');
      expect(error).toContain("amount");
      expect(error).toMatch(/(slice 1 of 1|the file) of the export of in\.c-crm\.\w+/);
      expect(error).not.toContain("/reads/");
    });

    test(`sets values that do not fit to null if the table says so, from ${title}`, async () => {
      await using project = await openProject(bad(script));
      const stats = await project.sync({ [PEOPLE]: { invalidValues: "set_null" } });
      expect(errorsOf(stats)).toEqual([]);
      expect(
        await project.rows("SELECT id, amount::VARCHAR AS amount, name FROM people ORDER BY id"),
      ).toEqual([
        { id: "1", amount: "1.50", name: "NA" },
        { id: "2", amount: null, name: "null" },
        { id: "3", amount: null, name: "NaN" },
        { id: "4", amount: null, name: "" },
      ]);
      expect(stats.tables[0]!.notes.join()).toContain("amount: 2 values are not DECIMAL(12,2)");
    });

    test(`quarantines rows whose values do not fit if the table says so, from ${title}`, async () => {
      await using project = await openProject(bad(script));
      const stats = await project.sync({ [PEOPLE]: { quarantine: true, quarantineMaxPercent: 60 } });
      expect(errorsOf(stats)).toEqual([]);
      expect(await project.rows("SELECT id FROM people ORDER BY id")).toEqual([{ id: "1" }, { id: "4" }]);
      expect(stats.tables[0]!.rowsQuarantined).toBe(2);
    });
  }

  for (const backend of ["snowflake", "bigquery"] as const) {
    test(`compares numbers that are stored as text as numbers on ${backend}`, async () => {
      const keboola = fakeKeboola({ backend });
      keboola.storage.createTable("in.c-crm.people", {
        columns: ["id", "amount"],
        columnMetadata: { amount: described("NUMERIC", "12,2") },
        rows: ["9", "10.00", "100", "", "010"].map((amount, id) => ({ id: String(id), amount })),
      });
      await using project = await openProject(keboola);
      const where = (operator: "ge" | "eq", value: number) =>
        ({ filter: [{ column: "amount", operator, values: [value] }] }) as const;
      expect(errorsOf(await project.sync({ [PEOPLE]: where("ge", 10) }))).toEqual([]);
      const ids = "SELECT id FROM people ORDER BY id";
      expect(await project.rows(ids)).toEqual([{ id: "1" }, { id: "2" }, { id: "4" }]);
      expect(errorsOf(await project.sync({ [PEOPLE]: where("eq", 10) }))).toEqual([]);
      expect(await project.rows(ids)).toEqual([{ id: "1" }, { id: "4" }]);
      const [range, equal] = exportsOf(keboola);
      // BigQuery knows only eq and ne: the rest is compared here.
      if (backend === "bigquery") expect(range).not.toHaveProperty("whereFilters");
      else
        expect(range).toMatchObject({
          whereFilters: [{ operator: "ge", values: ["10"], dataType: "DOUBLE" }],
        });
      expect(equal).toMatchObject({ whereFilters: [{ operator: "eq", values: ["10"], dataType: "DOUBLE" }] });
    });
  }

  test("publishes a typed table without rows if there are none", async () => {
    await using project = await openProject(sampleProject());
    expect(errorsOf(await project.sync({ "in.c-crm.empty": {} }))).toEqual([]);
    expect(await project.rows("SELECT * FROM empty")).toEqual([]);
  });

  test("reads a column that was added meanwhile without moving the others", async () => {
    const keboola = fakeKeboola({ parquet: false });
    const table = keboola.storage.createTable("in.c-crm.people", {
      columns: ["id", "name"],
      rows: [{ id: "1", name: "Ada" }],
    });
    keboola.onRequest((step, n) => {
      if (step === "export" && n === 1) table.addColumn("extra");
      return undefined;
    });
    await using project = await openProject(keboola);
    expect(errorsOf(await project.sync({ [PEOPLE]: {} }))).toEqual([]);
    expect(await project.rows("SELECT * FROM people")).toEqual([{ id: "1", name: "Ada" }]);
  });

  test("has empty texts, not nulls, for empty values without quotes", async () => {
    const keboola = fakeKeboola();
    const path = `${tmpdir()}/agnes-keboola-empty-${process.pid}.csv`;
    await Bun.write(path, "1,,\n2,Ada,1.50\n");
    keboola.storage.createTable("in.c-crm.people", {
      columns: ["id", "name", "amount"],
      columnMetadata: { amount: described("NUMERIC", "12,2") },
      prepared: { csv: [path], parquet: [path], rowsCount: 2 },
    });
    await using project = await openProject(keboola);
    expect(errorsOf(await project.sync({ [PEOPLE]: {} }))).toEqual([]);
    expect(await project.rows("SELECT id, name, amount::VARCHAR AS amount FROM people ORDER BY id")).toEqual([
      { id: "1", name: "", amount: null },
      { id: "2", name: "Ada", amount: "1.50" },
    ]);
    await Bun.file(path).delete();
  });

  test("refuses records of another width", async () => {
    const keboola = fakeKeboola();
    const path = `${tmpdir()}/agnes-keboola-width-${process.pid}.csv`;
    await Bun.write(path, '"1","Ada"\n"2","Bob","x"\n');
    keboola.storage.createTable("in.c-crm.people", {
      columns: ["id", "name"],
      prepared: { csv: [path], parquet: [path], rowsCount: 2 },
    });
    await using project = await openProject(keboola);
    const [error] = errorsOf(await project.sync({ [PEOPLE]: {} }));
    expect(error).toContain("file_row_invalid");
    await Bun.file(path).delete();
  });
});
