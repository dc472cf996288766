import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import type { FakeCell, FakeField } from "../fakes/bigquery/mod.ts";
import { bq, openHybridShop, wh, type HybridShop } from "./hybrid-shop.ts";

/** A column, its type in both systems, and values that are equal, extreme, or easily changed on the way. */
interface Column {
  readonly name: string;
  readonly type: string;
  readonly field: FakeField;
  readonly values: readonly string[];
  /** Returns the value of a cell of BigQuery. Default: the same text. */
  readonly cell?: (value: string) => FakeCell;
}

const micros = (value: string): string =>
  String(
    BigInt(Date.parse(`${value.slice(0, 23).replace(" ", "T")}Z`)) * 1000n + BigInt(value.slice(23, 26)),
  );

const COLUMNS: readonly Column[] = [
  {
    name: "k",
    type: "BIGINT",
    field: { name: "k", type: "INTEGER" },
    values: ["0", "1", "2", "3", "9007199254740993", "9223372036854775807", "-9223372036854775808"],
  },
  {
    name: "s",
    type: "VARCHAR",
    field: { name: "s", type: "STRING" },
    values: ["", "a", "A", "č", "c\u030C", "it's", "\\", '"', "a ", "\u{1F600}"],
  },
  {
    name: "d",
    type: "DOUBLE",
    field: { name: "d", type: "FLOAT" },
    values: ["0.1", "0.30000000000000004", "1e308", "5e-324", "-0.0", "0.0", "NaN", "Infinity", "-Infinity"],
  },
  {
    name: "m",
    type: "DECIMAL(38,9)",
    field: { name: "m", type: "NUMERIC" },
    values: [
      "0",
      "0.000000001",
      "-0.5",
      "99999999999999999999999999999.999999999",
      "-99999999999999999999999999999",
    ],
  },
  {
    name: "day",
    type: "DATE",
    field: { name: "day", type: "DATE" },
    values: ["2026-02-28", "2024-02-29", "0001-01-01", "9999-12-31", "1969-12-31"],
  },
  {
    name: "seen",
    type: "TIMESTAMPTZ",
    field: { name: "seen", type: "TIMESTAMP" },
    values: [
      "2026-01-01 00:00:00.000001",
      "1969-12-31 23:59:59.999999",
      "0001-01-01 00:00:00.000000",
      "9999-12-31 23:59:59.999999",
    ],
    cell: micros,
  },
  {
    name: "lt",
    type: "TIMESTAMP",
    field: { name: "lt", type: "DATETIME" },
    values: ["2026-03-29 02:30:00.123456", "0001-01-01 00:00:00.000000", "9999-12-31 23:59:59.999999"],
  },
  { name: "ok", type: "BOOLEAN", field: { name: "ok", type: "BOOLEAN" }, values: ["true", "false"] },
];

const NAMES = COLUMNS.map(({ name }) => name);

/** Statements over the local table `a` and the remote tables `r` (BigQuery) and `q` (DuckDB). */
const STATEMENTS: readonly string[] = [
  "SELECT * FROM r",
  "SELECT * FROM q",
  ...NAMES.flatMap((name) => [
    `SELECT a.k, r.s, r.d FROM a JOIN r USING (${name})`,
    `SELECT r.*, q.k AS other FROM r LEFT JOIN q USING (${name}) WHERE q.ok IS NOT FALSE`,
    `SELECT count(*) FROM a WHERE ${name} NOT IN (SELECT ${name} FROM r WHERE ${name} IS NOT NULL)`,
    `SELECT ${name}, count(*), count(DISTINCT q.k), min(q.s), max(q.m), bool_or(q.ok) FROM q GROUP BY ${name}`,
    `SELECT ${name} FROM r EXCEPT SELECT ${name} FROM a`,
    `SELECT ${name}, row_number() OVER (PARTITION BY ${name} ORDER BY r) FROM r ORDER BY ${name} DESC NULLS LAST`,
    `SELECT a.${name}, r.${name}, q.${name} FROM a FULL JOIN r ON a.${name} IS NOT DISTINCT FROM r.${name} FULL JOIN q ON q.${name} < r.${name}`,
  ]),
  "SELECT sum(m)::VARCHAR, sum(k)::VARCHAR, avg(d), min(seen), max(lt) FROM r WHERE abs(m) < 1 AND NOT isnan(d)",
  "WITH j AS (SELECT * FROM a NATURAL JOIN r) SELECT * FROM j SEMI JOIN q USING (k, ok)",
];

/** Columns whose values are keys; NaN is none. */
const KEYS = NAMES.filter((name) => name !== "d");

/** Tests that each statement has the same result over queries of sources as over local copies of their tables. */
export function testHybridSame(seeds: readonly number[]): void {
  describe.each(seeds)("with the seed %p, the result equals that of local copies", (seed) => {
    let shop: HybridShop | undefined;
    beforeAll(async () => {
      const random = randomOf(seed);
      const [a, r, q] = [rowsOf(random, 25), rowsOf(random, 25), rowsOf(random, 15)];
      shop = await openHybridShop({
        local: [tableSql("a", a), tableSql("r_copy", r), tableSql("q_copy", q)].join(";"),
        warehouse: tableSql("q", q),
        tables: [
          { dataset: "web", id: "r", fields: COLUMNS.map(({ field }) => field), rows: r.map(cellsOf) },
        ],
      });
    });
    afterAll(() => shop?.[Symbol.asyncDispose]());

    const REMOTE = "SELECT * FROM `shop-1`.`web`.`r`";

    test.each(STATEMENTS)("%s", async (sql) => {
      const register = {
        ...(/\br\b/.test(sql) && { r: bq(REMOTE) }),
        ...(/\bq\b/.test(sql) && { q: wh("SELECT * FROM wh.q") }),
      };
      const local = sql.replaceAll(/\b(FROM|JOIN) (r|q)\b(?!\.)/g, "$1 $2_copy $2");
      const expected = await resultOf(shop!, local);
      expect(expected).not.toBeString();
      expect(await resultOf(shop!, sql, register)).toEqual(expected);
    });

    test.each(KEYS)("a join by keys of the column %s", async (name) => {
      const keys = `SELECT ${name} FROM a WHERE k IS NOT NULL`;
      const register = {
        r: bq(`${REMOTE} WHERE ${name} IN UNNEST(@keys)`, { keys }),
        q: wh(`SELECT * FROM wh.q WHERE ${name} IN (SELECT unnest($keys))`, { keys }),
      };
      const sql = `SELECT a.k, r.*, q.* FROM a JOIN r USING (${name}) JOIN q USING (${name}) WHERE a.k IS NOT NULL`;
      const local = sql.replaceAll(/\bJOIN (r|q)\b(?!\.)/g, "JOIN $1_copy $1");
      const expected = await resultOf(shop!, local);
      expect(expected).not.toBeString();
      expect(await resultOf(shop!, sql, register)).toEqual(expected);
    });
  });
}

type Row = readonly (string | null)[];

/** A generator of numbers from 0 to 1 (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function rowsOf(random: () => number, count: number): readonly Row[] {
  const valueOf = ({ values }: Column) =>
    random() < 0.2 ? null : values[Math.floor(random() * values.length)]!;
  return Array.from({ length: count }, () => COLUMNS.map(valueOf));
}

function tableSql(name: string, rows: readonly Row[]): string {
  const literal = (value: string | null, { type }: Column) => {
    if (value === null) return `NULL::${type}`;
    const zone = type === "TIMESTAMPTZ" ? "+00" : "";
    return `CAST('${value.replaceAll("'", "''")}${zone}' AS ${type})`;
  };
  const values = rows.map((row) => `(${row.map((value, at) => literal(value, COLUMNS[at]!)).join(", ")})`);
  return `CREATE TABLE ${name} AS SELECT * FROM (VALUES ${values.join(", ")}) AS t(${NAMES.join(", ")})`;
}

function cellsOf(row: Row): readonly FakeCell[] {
  return row.map((value, at) => {
    const { cell = (text: string) => text } = COLUMNS[at]!;
    return value === null ? null : cell(value);
  });
}

/** The types of the columns and the rows, sorted, or the code of the error. */
async function resultOf(
  { agnes }: HybridShop,
  sql: string,
  register: NonNullable<Parameters<HybridShop["agnes"]["rows"]>[1]>["register"] = {},
): Promise<unknown> {
  try {
    const types = (await agnes.rows<{ column_type: string }>(`DESCRIBE ${sql}`, { register })).map(
      ({ column_type: type }) => type,
    );
    const rows = await agnes.rows(sql, { register });
    return [types, rows.map((row) => JSON.stringify(row)).sort()];
  } catch (error) {
    return (error as { readonly code: string }).code;
  }
}
