import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { fakeKeboola, type TypedColumn } from "../fakes/keboola/mod.ts";
import { described } from "./project.ts";
import { openWritable } from "./writing.ts";

setDefaultTimeout(30_000);

const TABLE = "out.c-main.values";

/** SQL of one row with a value of each type, and of rows with the edges of some. */
const VALUES = `
  SELECT 1::BIGINT AS id, 'a, "b"\r\nč' AS label, -12345678.90::DECIMAL(12,2) AS amount, 0.1::DOUBLE AS ratio, true AS flag,
    DATE '0001-01-01' AS day, TIMESTAMP '2026-02-28 23:59:59.999999' AS noted, TIMESTAMPTZ '1969-12-31 23:59:59.5+02' AS moment
  UNION ALL SELECT -9223372036854775807, 'NULL', 0.05, '-0'::DOUBLE, false, DATE '9999-12-31', TIMESTAMP '0001-01-01', TIMESTAMPTZ '9999-12-31 23:59:59+00'
  UNION ALL SELECT 3, ' ', 9999999999.99, 1.7976931348623157e308, NULL, NULL, NULL, NULL
  UNION ALL SELECT 4, '\\N', NULL, NULL, NULL, DATE '1600-02-29', TIMESTAMP '1600-02-29 12:00:00.000001', NULL
  UNION ALL SELECT 5, '"', NULL, 1e21, NULL, NULL, NULL, NULL
  UNION ALL SELECT 6, 'null', NULL, -2.2250738585072014e-308, NULL, NULL, NULL, NULL`;

const COLUMNS = ["id", "label", "amount", "ratio", "flag", "day", "noted", "moment"];

const TYPES = {
  snowflake: ["NUMBER", "VARCHAR", "NUMBER", "FLOAT", "BOOLEAN", "DATE", "TIMESTAMP_NTZ", "TIMESTAMP_TZ"],
  bigquery: ["INT64", "STRING", "NUMERIC", "FLOAT64", "BOOL", "DATE", "DATETIME", "TIMESTAMP"],
};

function typedColumns(backend: keyof typeof TYPES): readonly TypedColumn[] {
  return COLUMNS.map((name, at) => {
    const length = name === "amount" ? "12,2" : name === "id" && backend === "snowflake" ? "18,0" : undefined;
    return { name, type: TYPES[backend][at]!, ...(length === undefined ? {} : { length }) };
  });
}

/** The rows of SQL as text, so that every digit and sign counts. */
const asText = (from: string) =>
  `SELECT ${COLUMNS.map((name) => `${name}::VARCHAR AS ${name}`).join(", ")} FROM (${from}) ORDER BY id`;

describe("keboola: write() keeps values exactly", () => {
  for (const [backend, parquet] of [
    ["snowflake", true],
    ["bigquery", false],
  ] as const) {
    test(`in a typed table of ${backend}, read as ${parquet ? "Parquet" : "CSV"}`, async () => {
      const keboola = fakeKeboola({ backend, jobPolls: 0, parquet, provider: "gcp" });
      keboola.storage.createTable(TABLE, { columns: typedColumns(backend) });
      await using workspace = await openWritable(keboola);
      const expected = await workspace.agnes.rows(asText(VALUES));
      await workspace.push({ table: TABLE, sql: VALUES, mode: "replace" });
      expect(await workspace.readBack(TABLE, asText("FROM t"))).toEqual(expected);
      // Without the zone it would be a time in the zone of the backend's session.
      const moments = keboola.storage.table(TABLE).rows.flatMap(({ values }) => values.get("moment") ?? []);
      expect(moments.map((text) => text.slice(-6))).toEqual(["+00:00", "+00:00"]);
    });
  }

  test("in a table of strings whose metadata describes the types", async () => {
    const keboola = fakeKeboola({ jobPolls: 0, provider: "gcp" });
    keboola.storage.createTable(TABLE, {
      columns: COLUMNS,
      columnMetadata: {
        id: described("INTEGER"),
        amount: described("NUMERIC", "12,2"),
        ratio: described("FLOAT"),
        flag: described("BOOLEAN"),
        day: described("DATE"),
        noted: described("TIMESTAMP"),
        moment: [
          ...described("TIMESTAMP"),
          { provider: "user", key: "KBC.datatype.type", value: "TIMESTAMP_TZ" },
        ],
      },
    });
    await using workspace = await openWritable(keboola);
    const expected = await workspace.agnes.rows(asText(VALUES));
    await workspace.push({ table: TABLE, sql: VALUES, mode: "append" });
    expect(await workspace.readBack(TABLE, asText("FROM t"))).toEqual(expected);
  });

  test("of narrower types", async () => {
    const keboola = fakeKeboola({ jobPolls: 0, provider: "gcp" });
    keboola.storage.createTable(TABLE, {
      columns: [
        { name: "id", type: "NUMBER", length: "38,0" },
        { name: "amount", type: "NUMBER", length: "12,2" },
        { name: "ratio", type: "FLOAT" },
        { name: "noted", type: "TIMESTAMP_NTZ" },
      ],
    });
    await using workspace = await openWritable(keboola);
    const sql =
      "SELECT 255::UTINYINT AS id, 7::SMALLINT AS amount, 0.5::FLOAT AS ratio, TIMESTAMP_S '2026-01-01 00:00:01' AS noted";
    await workspace.push({ table: TABLE, sql, mode: "append" });
    const back = "SELECT id::VARCHAR AS id, amount::VARCHAR AS amount, ratio, noted::VARCHAR AS noted FROM t";
    expect(await workspace.readBack<object>(TABLE, back)).toEqual([
      { id: "255", amount: "7.00", ratio: 0.5, noted: "2026-01-01 00:00:01" },
    ]);
  });

  test("with empty texts and nulls apart in BigQuery", async () => {
    const keboola = fakeKeboola({ backend: "bigquery", jobPolls: 0, provider: "gcp" });
    keboola.storage.createTable(TABLE, {
      columns: [
        { name: "id", type: "INT64" },
        { name: "label", type: "STRING" },
      ],
    });
    await using workspace = await openWritable(keboola);
    const sql = "SELECT 1 AS id, '' AS label UNION ALL SELECT 2, NULL";
    await workspace.push({ table: TABLE, sql, mode: "append" });
    expect(await workspace.readBack<object>(TABLE, "SELECT label FROM t ORDER BY id")).toEqual([
      { label: "" },
      { label: null },
    ]);
  });
});

describe("keboola: write() refuses", () => {
  const typed = (columns: readonly (string | TypedColumn)[], primaryKey: readonly string[] = []) => {
    const keboola = fakeKeboola({ jobPolls: 0, provider: "gcp" });
    keboola.storage.createTable(TABLE, { columns, primaryKey });
    return keboola;
  };
  const cases: readonly (readonly [string, readonly (string | TypedColumn)[], string, string, string])[] = [
    [
      "an empty text that Snowflake would import as null",
      [{ name: "label", type: "VARCHAR" }],
      "SELECT 'x' AS label UNION ALL SELECT ''",
      'column "label" of row 2: it is an empty text, which Keboola imports as null',
      "nullif",
    ],
    [
      "a null text in a table of strings",
      ["id", "label"],
      "SELECT '1' AS id, NULL::VARCHAR AS label",
      'column "label" of row 1: it is null, and a table without types has no null in texts',
      "coalesce",
    ],
    [
      "a null in a column without nulls",
      [
        { name: "id", type: "DATE", nullable: false },
        { name: "label", type: "DATE" },
      ],
      "SELECT NULL::DATE AS id, NULL::DATE AS label",
      "it is null, which the column does not allow",
      "coalesce",
    ],
    [
      "a row that would be an empty line",
      [{ name: "day", type: "DATE" }],
      "SELECT NULL::DATE AS day",
      "a row of nothing else cannot be sent",
      "",
    ],
    [
      "a date before the year 1",
      [{ name: "day", type: "DATE" }],
      "SELECT DATE '0044-03-15 (BC)' AS day",
      "not in the years 1 to 9999",
      "",
    ],
    [
      "an infinite number",
      [{ name: "ratio", type: "FLOAT" }],
      "SELECT '-inf'::DOUBLE AS ratio",
      'column "ratio" of row 1: it is -Infinity',
      "isfinite",
    ],
    [
      "an infinite timestamp",
      [{ name: "at", type: "TIMESTAMP_NTZ" }],
      "SELECT 'infinity'::TIMESTAMP AS at",
      "not in the years 1 to 9999",
      "",
    ],
    [
      "digits of a second that the column does not keep",
      [{ name: "at", type: "TIMESTAMP_NTZ", length: 3 }],
      "SELECT TIMESTAMP '2026-01-01 00:00:00.001' AS at UNION ALL SELECT TIMESTAMP '2026-01-01 00:00:00.0001'",
      'column "at" of row 2: it has more digits of a second than the 3 of the column',
      "date_trunc",
    ],
    [
      "a column whose values text does not represent",
      [{ name: "data", type: "VARIANT" }],
      "SELECT '{}' AS data",
      'its column "data" is VARIANT',
      "",
    ],
  ];
  for (const [what, columns, sql, reason, advice] of cases) {
    test(what, async () => {
      const keboola = typed(columns);
      await using workspace = await openWritable(keboola);
      for (const dryRun of [true, false]) {
        const error = await workspace.refusal({ table: TABLE, sql, mode: "append", dryRun });
        expect([error.code, error.message, error.hint]).toEqual([
          "keboola/write_refused",
          expect.stringContaining(reason),
          expect.stringContaining(advice),
        ] as string[]);
      }
      expect(keboola.requestsOf("import")).toEqual([]);
    });
  }

  const keys = {
    NUMERIC: ["SELECT 1.5::DECIMAL(12,2) AS id", "12,2"],
    FLOAT: ["SELECT 1::DOUBLE AS id"],
    BOOLEAN: ["SELECT true AS id"],
    DATE: ["SELECT DATE '2026-01-01' AS id"],
    TIMESTAMP: ["SELECT TIMESTAMP '2026-01-01' AS id"],
  } as const;
  for (const [type, [sql, length]] of Object.entries(keys))
    test(`to update a table of strings by a key that is described as ${type}`, async () => {
      const keboola = fakeKeboola({ jobPolls: 0, provider: "gcp" });
      const columnMetadata = { id: described(type, length) };
      keboola.storage.createTable(TABLE, { columns: ["id"], primaryKey: ["id"], columnMetadata });
      await using workspace = await openWritable(keboola);
      const error = await workspace.refusal({ table: TABLE, sql, mode: "upsert", dryRun: true });
      expect([error.code, error.message, error.hint]).toEqual([
        "keboola/write_refused",
        expect.stringContaining('its key column "id" is text in Keboola, described as'),
        expect.stringContaining('Remove the data type of "id" in Keboola'),
      ] as string[]);
      expect(await workspace.push({ table: TABLE, sql, mode: "replace" })).toMatchObject({ rows: 1 });
    });

  test("no key that is described as INTEGER", async () => {
    const keboola = fakeKeboola({ jobPolls: 0, provider: "gcp" });
    const columnMetadata = { id: described("INTEGER") };
    keboola.storage.createTable(TABLE, {
      columns: ["id", "label"],
      primaryKey: ["id"],
      columnMetadata,
      rows: [{ id: "1", label: "old" }],
    });
    await using workspace = await openWritable(keboola);
    await workspace.push({ table: TABLE, sql: "SELECT 1 AS id, 'new' AS label", mode: "upsert" });
    const rows = keboola.storage.table(TABLE).rows.map(({ values }) => Object.fromEntries(values));
    expect(rows).toEqual([{ id: "1", label: "new" }]);
  });
});
