import { createAgnes, type Agnes, type Receipt } from "agnes";

import plugin from "../../plugins/bigquery/plugin.ts";
import type { FakeCell, FakeField, FakeTable } from "../fakes/bigquery/mod.ts";

const MICROS = 1_767_225_600_000_000n;

/** Extremes, ties and nulls of each type. */
const AMOUNTS = ["0.01", "-0.01", "9999999999.99", "-9999999999.99", "10.00", null, "10.00"];
const NUMBERS = ["9223372036854775807", "-9223372036854775808", "0", null, "-1", "9223372036854775807", "7"];
const TEXTS = ["ann", "Ann", "", "čapek", "čapek", null, "it's", "\u{1F600}", "Z", "a\\b"];
const DAYS = ["0001-01-01", "9999-12-31", "2026-01-31", null, "2026-01-31", "1969-12-31"];
const RATIOS = ["NaN", "0.1", "-0.0", "Infinity", null, "0.2", "1e308"];

export const SALES_FIELDS: readonly FakeField[] = [
  { name: "id", type: "INTEGER", mode: "REQUIRED" },
  { name: "country", type: "STRING" },
  { name: "amount", type: "NUMERIC", precision: "12", scale: "2" },
  { name: "price", type: "NUMERIC" },
  { name: "number", type: "INTEGER" },
  { name: "small", type: "INTEGER" },
  { name: "is_open", type: "BOOLEAN" },
  { name: "day", type: "DATE" },
  { name: "sold_at", type: "TIMESTAMP" },
  { name: "local_at", type: "DATETIME" },
  { name: "ratio", type: "FLOAT" },
];

/** The rows of sales, with nulls, ties and extremes that depend on a seed. */
export function salesRows(count: number, seed = 0): readonly (readonly FakeCell[])[] {
  const pick = <T>(values: readonly T[], at: number) => values[(at * 7 + seed * 3) % values.length]!;
  return Array.from({ length: count }, (_, id): FakeCell[] => [
    String(id),
    pick(TEXTS, id),
    pick(AMOUNTS, id + 1),
    id % 5 === 4 ? null : `${id % 3}.${String(id % 4).padStart(9, "0")}`,
    pick(NUMBERS, id),
    id % 6 === 5 ? null : String((id + seed) % 4),
    id % 3 === 0 ? null : String(id % 2 === 0),
    pick(DAYS, id),
    id % 7 === 6 ? null : String(MICROS + BigInt(id % 5) * 1_000_001n),
    id % 4 === 3 ? null : `2026-01-01T00:00:0${id % 6}.000001`,
    pick(RATIOS, id),
  ]);
}

const COUNTRY_FIELDS: readonly FakeField[] = [
  { name: "code", type: "STRING" },
  { name: "continent", type: "STRING" },
  { name: "small", type: "INTEGER" },
];

/** Sales, countries to join them with, and a table without rows. */
export function shippedTables(count = 60, seed = 0): readonly FakeTable[] {
  const table = (id: string, fields: readonly FakeField[], rows: FakeTable["rows"]): FakeTable => ({
    dataset: "shop",
    id,
    fields,
    ...(rows === undefined ? {} : { rows }),
  });
  const countries: readonly FakeCell[][] = [
    ["ann", "EU", "1"],
    ["ann", "EU", "2"],
    ["čapek", null, "3"],
    [null, "AS", null],
    ["Z", "AF", "0"],
  ];
  return [
    table("sales", SALES_FIELDS, salesRows(count, seed)),
    table("countries", COUNTRY_FIELDS, countries),
    table("nothing", SALES_FIELDS, []),
  ];
}

/** Statements that are shipped. `r.` are the remote tables. */
export const SHIPPED = [
  "SELECT country, count(*) FROM r.sales GROUP BY country",
  "SELECT country, count(*) AS n FROM r.sales GROUP BY 1 ORDER BY n DESC, country",
  "SELECT country, count(*) FROM r.sales GROUP BY ALL ORDER BY ALL",
  "SELECT count(*), count(amount), count(DISTINCT country), count(ratio), count(1) FROM r.sales",
  "SELECT sum(number), sum(small), sum(amount), sum(price), sum(1) FROM r.sales",
  "SELECT small, sum(number) FROM r.sales GROUP BY small",
  "SELECT sum(DISTINCT number), sum(DISTINCT amount) FROM r.sales",
  "SELECT min(id), max(number), min(amount), max(price), min(country), max(country) FROM r.sales",
  "SELECT min(day), max(day), min(sold_at), max(sold_at), min(local_at), max(local_at) FROM r.sales",
  "SELECT count(*) FILTER (WHERE small > 1), sum(amount) FILTER (WHERE is_open), max(id) FILTER (WHERE country = 'ann') FROM r.sales",
  "SELECT count(*), sum(number), min(day), max(country) FROM r.nothing",
  "SELECT country, count(*) FROM r.nothing GROUP BY country",
  "SELECT DISTINCT country FROM r.sales",
  "SELECT DISTINCT amount, is_open FROM r.sales ORDER BY amount DESC NULLS FIRST, is_open",
  "SELECT DISTINCT price, day, sold_at, local_at FROM r.sales",
  "SELECT id, amount FROM r.sales ORDER BY amount DESC, id LIMIT 7",
  "SELECT id, amount FROM r.sales ORDER BY amount NULLS FIRST, id LIMIT 9 OFFSET 3",
  "SELECT id, amount FROM r.sales ORDER BY amount ASC NULLS LAST, id DESC LIMIT 40",
  "SELECT id FROM r.sales ORDER BY country, id LIMIT 12",
  "SELECT id FROM r.sales ORDER BY country DESC NULLS FIRST, day, id LIMIT 12",
  "SELECT id, ratio FROM r.sales ORDER BY number, id LIMIT 30",
  "SELECT id, ratio FROM r.sales WHERE small > 1 OR country = 'ann' ORDER BY ratio, id",
  "SELECT id FROM r.sales WHERE small = 1 OR small = 2 AND NOT is_open ORDER BY id",
  "SELECT id FROM r.sales WHERE NOT (small = 1 OR country = 'it''s') ORDER BY id",
  "SELECT id FROM r.sales WHERE (country IN ('ann', '', 'a\\b') OR id IN (3, 4)) ORDER BY id",
  "SELECT id FROM r.sales WHERE (country NOT IN ('ann', 'Z') OR id = 1) ORDER BY id",
  "SELECT id FROM r.sales WHERE (small NOT IN (1, NULL) OR id = 1) ORDER BY id",
  "SELECT id FROM r.sales WHERE amount BETWEEN -0.01 AND 10 OR day BETWEEN '2026-01-01' AND DATE '2026-02-01' ORDER BY id",
  "SELECT id FROM r.sales WHERE small NOT BETWEEN 1 AND 2 ORDER BY id",
  "SELECT id FROM r.sales WHERE country > 'a' OR day < '1970-01-01' OR local_at >= '2026-01-01 00:00:03' ORDER BY id",
  "SELECT id FROM r.sales WHERE price = 1.000000001 OR price IS NULL ORDER BY id",
  "SELECT id FROM r.sales WHERE small < id OR small IS NULL ORDER BY id",
  "SELECT id FROM r.sales WHERE is_open = true OR is_open IS NULL AND ratio IS NOT NULL ORDER BY id",
  "SELECT id, small + 1, small - id, small * 3, 2 * (small + id) AS twice FROM r.sales WHERE id + small > 20 ORDER BY id",
  "SELECT id + 1 AS next, count(*) FROM r.sales GROUP BY id + 1 ORDER BY next",
  "SELECT small, CASE WHEN count(*) > 10 THEN 'many' ELSE 'few' END FROM r.sales GROUP BY small",
  "SELECT CASE small WHEN 1 THEN 'one' WHEN 2 THEN 'two' END AS word, count(*) FROM r.sales GROUP BY word",
  "SELECT sum(CASE WHEN is_open THEN 1 ELSE 0 END), sum(CASE WHEN small = 1 THEN amount END) FROM r.sales",
  "SELECT coalesce(country, 'none') AS name, count(*) FROM r.sales GROUP BY name ORDER BY 2 DESC, 1",
  "SELECT sum(coalesce(small, 0)), min(coalesce(day, DATE '2000-02-29')) FROM r.sales",
  "SELECT country, sum(amount) AS amount FROM r.sales GROUP BY country HAVING sum(small) > 3 AND count(*) >= 2",
  "SELECT country FROM r.sales GROUP BY country HAVING count(DISTINCT small) > 1 ORDER BY sum(amount) DESC NULLS LAST, country LIMIT 3",
  "SELECT sum(number) FROM r.sales HAVING count(*) > 1000",
  "SELECT s.country, c.continent, count(*) FROM r.sales s JOIN r.countries c ON s.country = c.code GROUP BY 1, 2",
  "SELECT s.id, c.continent FROM r.sales s LEFT JOIN r.countries c ON s.country = c.code AND c.small > 1",
  "SELECT s.id, c.continent FROM r.sales s LEFT JOIN r.countries c ON c.code = s.country WHERE c.continent IS NULL",
  "SELECT s.id, n.id FROM r.sales s LEFT JOIN r.nothing n ON s.id = n.id",
  "SELECT * FROM r.sales JOIN r.countries USING (small)",
  "SELECT a.id, b.id FROM r.sales a JOIN r.sales b ON a.small = b.id AND a.amount = b.amount",
  "SELECT continent, max(total) FROM (SELECT country, sum(number) AS total FROM r.sales GROUP BY country) t JOIN r.countries c ON t.country = c.code GROUP BY continent",
  "WITH big AS (SELECT small, count(*) AS n FROM r.sales WHERE id > 5 GROUP BY small) SELECT a.small, a.n + b.n FROM big a JOIN big b ON a.n = b.n",
  "WITH open AS (SELECT * FROM r.sales WHERE is_open) SELECT count(*) FROM open WHERE small IS NOT NULL",
  "SELECT count(*) AS n, sum(n) FROM (SELECT small AS n FROM r.sales) AS x",
  "SELECT day, small FROM r.sales GROUP BY day, small HAVING small IS NOT NULL ORDER BY day DESC NULLS LAST, small LIMIT 3 OFFSET 1",
] as const;

/** Statements with a part that is not listed, which are not shipped. */
export const NOT_SHIPPED = [
  // cheaper as reads of columns with conditions
  "SELECT * FROM r.sales",
  "SELECT id FROM r.sales WHERE country = 'ann' AND small IN (1, 2) AND day IS NOT NULL",
  "SELECT id FROM r.sales WHERE NOT (country IN ('ann', 'x')) LIMIT 0",
  // DOUBLE
  "SELECT sum(ratio) FROM r.sales WHERE ratio = 0.1",
  "SELECT ratio, count(*) FROM r.sales GROUP BY ratio",
  "SELECT min(ratio), max(ratio) FROM r.sales",
  "SELECT count(*) FROM r.sales WHERE ratio > 0",
  "SELECT count(DISTINCT ratio) FROM r.sales",
  "SELECT DISTINCT ratio FROM r.sales",
  "SELECT id FROM r.sales ORDER BY ratio, id LIMIT 3",
  "SELECT avg(small), count(*) FROM r.sales",
  // functions, casts and operators
  "SELECT upper(country), count(*) FROM r.sales GROUP BY 1",
  "SELECT count(*) FROM r.sales WHERE country LIKE 'a%'",
  "SELECT country || 'x' AS c, count(*) FROM r.sales GROUP BY c",
  "SELECT count(*) FROM r.sales WHERE id / 2 > 3",
  "SELECT count(*) FROM r.sales WHERE id // 2 > 3",
  "SELECT count(*) FROM r.sales WHERE id % 2 = 1",
  "SELECT sum(amount * 2) FROM r.sales",
  "SELECT sum(amount + price) FROM r.sales",
  "SELECT sum(amount - small) FROM r.sales",
  "SELECT -small AS m, count(*) FROM r.sales GROUP BY m",
  "SELECT CAST(id AS VARCHAR) AS text, count(*) FROM r.sales GROUP BY text",
  "SELECT TRY_CAST(country AS INTEGER) AS i, count(*) FROM r.sales GROUP BY i",
  "SELECT date_trunc('month', day) AS m, count(*) FROM r.sales GROUP BY m",
  "SELECT count(*) FROM r.sales WHERE sold_at > TIMESTAMPTZ '2026-01-01 00:00:00+00'",
  "SELECT count(*) FROM r.sales WHERE day > current_date",
  "SELECT count(*) FROM r.sales WHERE country COLLATE NOCASE = 'ann'",
  "SELECT count(*) FROM r.sales WHERE country IS DISTINCT FROM 'ann'",
  "SELECT count(*) FROM r.sales WHERE amount = id",
  "SELECT count(*) FROM r.sales WHERE amount > 0.001",
  "SELECT count(*) FROM r.sales WHERE small > 1.5",
  "SELECT count(*) FROM r.sales WHERE number > 9223372036854775808",
  "SELECT count(*) FROM r.sales WHERE is_open > false",
  "SELECT max(is_open) FROM r.sales",
  "SELECT count(*) FROM r.sales WHERE id = 1 AND 1 = 1",
  "SELECT sum(sum(number)) OVER (), count(*) FROM r.sales",
  "SELECT any_value(country), count(*) FROM r.nothing",
  "SELECT string_agg(country, ',' ORDER BY country), count(*) FROM r.sales",
  "SELECT sum(total) FROM (SELECT sum(number) AS total FROM r.sales GROUP BY small) t",
  "SELECT [small][1] AS first, count(*) FROM r.sales GROUP BY first",
  "SELECT {'a': small} AS s, count(*) FROM r.sales GROUP BY s",
  // forms of the statement
  "SELECT count(*) FROM r.sales a, r.countries b WHERE a.country = b.code",
  "SELECT count(*) FROM r.sales a JOIN r.countries b ON a.id > b.small",
  "SELECT count(*) FROM r.sales a FULL JOIN r.countries b ON a.country = b.code",
  "SELECT count(*) FROM r.sales a RIGHT JOIN r.countries b ON a.country = b.code",
  "SELECT count(*) FROM r.sales SEMI JOIN r.countries USING (small)",
  "SELECT count(*) FROM r.sales NATURAL JOIN r.countries",
  "SELECT count(*) FROM r.sales WHERE small IN (SELECT small FROM r.countries)",
  "SELECT count(*) FROM r.sales s WHERE EXISTS (SELECT 1 FROM r.countries c WHERE c.code = s.country)",
  "SELECT small FROM r.countries UNION ALL SELECT small FROM r.sales WHERE id < 3",
  "SELECT count(*) FROM (SELECT small FROM r.sales ORDER BY id LIMIT 3) t",
  "SELECT DISTINCT ON (small) small FROM r.sales ORDER BY small",
  "SELECT small, count(*) FROM r.sales GROUP BY ROLLUP (small)",
  "SELECT small, count(*) FROM r.sales GROUP BY GROUPING SETS ((small), ())",
  "SELECT small, count(*) FROM r.sales GROUP BY small QUALIFY max(small) OVER () = small",
  "SELECT count(*) FROM r.sales USING SAMPLE 100%",
  "SELECT count(*) FROM r.sales AS s(a, b)",
  "SELECT count(*) FROM r.sales TABLESAMPLE 100%",
  "WITH w(x) AS (SELECT small FROM r.sales) SELECT count(*) FROM w",
  "WITH RECURSIVE w AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM w WHERE n < 3) SELECT count(*) FROM w JOIN r.countries c ON w.n = c.small",
  "SELECT * EXCLUDE (ratio) FROM r.sales WHERE small = 1 OR id = 2",
  "SELECT small AS id, id AS small FROM r.sales WHERE small = 1 OR id = 2 ORDER BY id + small",
  "SELECT sum(number) AS small FROM r.sales GROUP BY country HAVING small > 1",
  "SELECT max(small) AS m FROM r.sales GROUP BY country ORDER BY m LIMIT 50%",
  "SELECT count(*) FROM r.sales WHERE NULL",
  "SELECT NULL AS nothing, count(*) FROM r.sales",
] as const;

/** Opens a workspace with the tables `r.…`, which are remote, and their local copies `l.…`. */
export async function openShippedShop(
  folder: string,
  connection: {
    readonly fetch: typeof globalThis.fetch | ((url: string, init: RequestInit) => Promise<Response>);
    readonly serviceAccount: string;
    readonly options: Readonly<Record<string, unknown>>;
    readonly tables: readonly string[];
  },
): Promise<Agnes> {
  const { fetch, serviceAccount, options, tables } = connection;
  const source = { plugin: "bigquery", options: { storageRead: false, ...options } };
  const agnes = await createAgnes({
    workspace: folder,
    plugins: [plugin],
    host: { fetch: fetch as never, env: { BIGQUERY_SERVICE_ACCOUNT_JSON: serviceAccount } },
    config: { version: 1, limits: { threads: 2 }, sources: { r: source, l: source } },
  });
  const registry = await agnes.tables();
  for (const name of tables) {
    await registry.register({ source: "r", sourceTable: `shop.${name}`, name, queryMode: "remote" });
    await registry.register({ source: "l", sourceTable: `shop.${name}`, name, viewName: `local_${name}` });
  }
  const report = await agnes.sync();
  if (report.status !== "complete") throw new Error(JSON.stringify(report));
  return agnes;
}

/** The rows of a statement, in order if it has one; the names and types of its columns; and its receipt. */
export async function resultOf(
  agnes: Agnes,
  sql: string,
): Promise<{
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  readonly receipt: Receipt;
}> {
  const result = await agnes.query(sql);
  const { schema, names, batches } = result;
  const rows: string[] = [];
  for await (const batch of batches) {
    for (let row = 0; row < batch.numRows; row++) {
      const values = names.map((_, at): unknown => batch.getChildAt(at)!.get(row));
      rows.push(values.map((value) => (Object.is(value, -0) ? "-0" : String(value))).join(" | "));
    }
  }
  return {
    rows: /ORDER BY/.test(sql) ? rows : rows.sort(),
    columns: schema.fields.map(({ type }, at) => `${names[at]}: ${String(type)}`),
    receipt: result.receipt(),
  };
}
