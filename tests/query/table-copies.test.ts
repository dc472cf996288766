import { afterAll, beforeAll, expect, spyOn, test } from "bun:test";
import { readdirSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";

import { createAgnes, type Agnes, type QueryOptions } from "agnes";
import {
  date,
  decimal,
  definePlugin,
  float64,
  int64,
  list,
  table,
  timestamp,
  utf8,
  type Row,
} from "agnes/kit";
import * as v from "valibot";

import type { AnalyticsTable } from "../../lib/analytics/mod.ts";
import { isAgnesError, silentLog } from "../../lib/base/mod.ts";
import type { Connection } from "../../lib/duckdb/mod.ts";
import { TableCopies } from "../../lib/query/table-copies.ts";
import { writeExtract } from "../analytics/extract-files.ts";
import { temporaryFolder } from "../sync/workspace.ts";

const COLUMNS = {
  id: int64(),
  customer: utf8(),
  amount: float64(),
  price: decimal(10, 2),
  day: date(),
  at: timestamp(),
  kind: int64(),
};

const rowOf = (id: number): Row => ({
  id,
  customer: id % 11 === 0 ? null : `c${(id * 31) % 97}`,
  amount: id / 3,
  price: `${id % 500}.25`,
  day: new Date(Date.UTC(2026, 0, 1 + (id % 300))),
  at: new Date(Date.UTC(2026, 0, 1) + id * 1001),
  kind: (id * 7919) % 13,
});

/** What each table has; `parts` gets a part with each sync. */
const TABLES: Readonly<
  Record<string, { readonly columns: Parameters<typeof table>[1]; readonly count: number }>
> = {
  orders: { columns: COLUMNS, count: 15_000 },
  parts: { columns: COLUMNS, count: 6000 },
  secret: { columns: { id: int64(), canary: utf8() }, count: 10 },
  lent: { columns: { id: int64(), canary: utf8() }, count: 10 },
  many: { columns: { id: int64() }, count: 20_001 },
  lists: { columns: { id: int64(), ids: list(int64()) }, count: 10 },
  texts: { columns: { id: int64(), text: utf8() }, count: 100 },
};

let syncs = 0;

function rowsOfTable(name: string): readonly Row[] {
  const from = name === "parts" || name === "orders" ? syncs * 1000 : 0;
  return Array.from({ length: TABLES[name]!.count }, (_, at) => {
    const id = from + ((at * 7) % TABLES[name]!.count);
    if ("customer" in TABLES[name]!.columns) return rowOf(id);
    // One text of the table has few bytes in Parquet, because its pages are compressed.
    return { id, canary: name === "lent" ? "lent" : "CANARY", ids: [id], text: "x".repeat(50_000) };
  }).map((row) => Object.fromEntries(Object.entries(row).filter(([key]) => key in TABLES[name]!.columns)));
}

const plugin = definePlugin({
  name: "shop",
  version: "1.0.0",
  description: "Tables of several sizes",
  capabilities: ["discover", "read"],
  register: "all",
  options: v.strictObject({}),
  secrets: {},
  connect: () => ({
    discover: async () =>
      Object.entries(TABLES).map(([name, { columns }]) =>
        table(name, columns, name === "parts" ? { primaryKey: ["id"], cursor: "at" } : {}),
      ),
    async *read({ name }) {
      yield rowsOfTable(name);
    },
  }),
});

const folder = temporaryFolder();
let agnes: Agnes;
beforeAll(async () => {
  agnes = await createAgnes({
    workspace: folder.path,
    plugins: [plugin],
    config: { version: 1, sources: { shop: { plugin: "shop" } } },
  });
  const tables = await agnes.tables();
  await tables.register({ source: "shop", name: "parts", sourceTable: "parts", syncStrategy: "incremental" });
  for (; syncs < 2; syncs += 1) expect((await agnes.sync()).status).toBe("complete");
});
afterAll(async () => {
  await agnes.close();
  folder[Symbol.dispose]();
});

/** The types and rows of a query, or its error. */
async function outcomeOf(sql: string, options: QueryOptions = {}): Promise<string> {
  try {
    const result = await agnes.query(sql, options);
    const rows: unknown[] = [];
    for await (const batch of result.batches) for (const row of batch) rows.push(row.toArray());
    return JSON.stringify({ schema: String(result.schema), rows }, (_key, value: unknown) =>
      typeof value === "bigint" ? `${value}n` : value,
    );
  } catch (error) {
    if (!isAgnesError(error)) throw error;
    return `${error.code} ${error.message}`;
  }
}

/** Repeats a query. @returns whether the last one read a copy */
async function readsCopy(sql: string, options: QueryOptions = {}): Promise<boolean> {
  for (let n = 0; n < 12; n += 1) await outcomeOf(sql, options);
  const has = spyOn(TableCopies.prototype, "has");
  try {
    await outcomeOf(sql, options);
    return has.mock.results.some(({ value }) => value === true);
  } finally {
    has.mockRestore();
  }
}

const QUERIES = [
  "SELECT * FROM orders",
  "SELECT * FROM shop.orders LIMIT 7",
  "SELECT o.id, orders.kind FROM shop.orders, (SELECT 1) o LIMIT 3",
  "SELECT orders.id, shop.orders.kind FROM shop.orders WHERE customer = 'c5'",
  "SELECT * FROM orders ORDER BY kind",
  "SELECT * FROM orders ORDER BY customer DESC NULLS LAST LIMIT 20 OFFSET 3",
  "SELECT kind, count(*), list(id), avg(amount) FROM orders GROUP BY kind",
  "SELECT customer, sum(amount), first(id) FROM orders GROUP BY customer",
  "SELECT DISTINCT ON (kind) * FROM orders",
  "SELECT sum(amount), stddev(amount), mode(customer), approx_quantile(amount, 0.4) FROM orders",
  "SELECT id, row_number() OVER (PARTITION BY kind ORDER BY customer) FROM orders",
  "SELECT max(day), min(at), sum(price), max(customer) FROM orders",
  "SELECT * FROM orders USING SAMPLE 5 ROWS (reservoir, 3)",
  "SELECT * FROM orders TABLESAMPLE 10% (system, 3)",
  "SELECT orders FROM orders LIMIT 2",
  "SELECT stats(kind) FROM orders LIMIT 1",
  "SELECT current_schema(), current_database(), current_schemas(true) FROM orders LIMIT 1",
  'SELECT "agnes:analytics".main.orders.id FROM orders LIMIT 3',
  'SELECT "agnes:copies".main.orders.id FROM orders LIMIT 3',
  "SUMMARIZE orders",
  "DESCRIBE orders",
  "EXPLAIN SELECT id FROM orders",
  "SHOW ALL TABLES",
  "SELECT * FROM information_schema.tables",
  "SELECT table_catalog, column_name FROM information_schema.columns WHERE table_name = 'orders'",
  "SELECT rowid FROM orders",
  "SELECT filename FROM orders",
  "SELECT nothing FROM orders",
  "SELECT other.id FROM orders",
  "SELECT customer::INTEGER FROM orders",
  "SELECT id::nosuch FROM orders",
  "SELECT error(customer) FROM orders",
  'SELECT * FROM "agnes:copies".main.orders',
  'SELECT * FROM "agnes:rows"."shop.orders"',
];

test("queries of a copy have the types, rows, order and errors of queries of the files", async () => {
  expect(await readsCopy("SELECT id FROM orders")).toBe(true);
  for (const sql of QUERIES) {
    const copied = [await outcomeOf(sql), await outcomeOf(sql), await outcomeOf(sql)];
    const has = spyOn(TableCopies.prototype, "has").mockReturnValue(false);
    const expected = await outcomeOf(sql);
    has.mockRestore();
    expect([sql, ...new Set(copied)]).toEqual([sql, expected]);
  }
});

test("a query with a join, or that names a database of Agnes, reads the files", async () => {
  expect(await readsCopy("SELECT id FROM orders")).toBe(true);
  for (const sql of [
    "SELECT count(*) FROM orders a JOIN orders b USING (id)",
    'SELECT "agnes:analytics".main.orders.id FROM orders LIMIT 3',
    "SELECT current_database() FROM orders LIMIT 1",
    "EXPLAIN SELECT id FROM orders",
  ])
    expect([sql, await readsCopy(sql)]).toEqual([sql, false]);
});

test("a copy is read only by who may read its table", async () => {
  expect(await readsCopy("SELECT id FROM secret")).toBe(true);
  const access = new Set(["shop.orders"]);
  for (const sql of [
    "SELECT * FROM secret",
    "SELECT * FROM shop.secret",
    'SELECT * FROM "agnes:rows"."shop.secret"',
  ]) {
    expect(await outcomeOf(sql, { access })).toStartWith("table_unknown");
  }
  const listed = await outcomeOf("SELECT * FROM information_schema.tables", { access });
  expect(listed).toContain("orders");
  expect(listed).not.toMatch(/secret|copies/);
});

test("tables with many rows, several parts, long texts, lists or files of another program are not copied", async () => {
  for (const name of ["many", "parts", "texts", "lists"])
    expect([name, await readsCopy(`SELECT count(*) FROM ${name}`)]).toEqual([name, false]);
  await writeExtract(join(folder.path, "data"), "other", {
    tables: [{ name: "foreign", rows: "SELECT 1 AS id" }],
  });
  await agnes.rebuild();
  expect(await readsCopy("SELECT id FROM other.foreign")).toBe(false);
});

test("views that another program writes with the tables of Agnes are not copied", async () => {
  const own = `CREATE TABLE _generation AS SELECT 1::BIGINT AS number, '/' AS directory;
    CREATE TABLE _cursor (table_name VARCHAR, source_columns VARCHAR, remote VARCHAR)`;
  const views = {
    timed: "SELECT now()::VARCHAR AS value FROM read_parquet('{data}/one.parquet')",
    endless: "SELECT value FROM read_parquet('{data}/one.parquet'), range(3000000) AS a, range(3000000) AS b",
    growing: "SELECT value FROM read_parquet('{data}/*.parquet')",
  };
  const tables = Object.entries(views).map(([name, sql]) => ({ name, object: `VIEW ${name} AS ${sql}` }));
  await writeExtract(join(folder.path, "data"), "forged", {
    before: own,
    tables: [{ name: "one", rows: "SELECT 1 AS value" }, ...tables],
  });
  await agnes.rebuild();
  for (const name of Object.keys(views)) {
    const sql = `SELECT value FROM forged.${name} LIMIT 1`;
    const reading = readsCopy(sql);
    expect([name, await Promise.race([reading, Bun.sleep(10_000).then(() => "hangs")])]).toEqual([
      name,
      false,
    ]);
  }
  expect((await agnes.query("SELECT value FROM forged.timed")).receipt().extracts[0]!.generation).toBe(1);
});

test("a copy that takes long is stopped", async () => {
  const never = (_sql: string, options?: { readonly signal: AbortSignal }) =>
    new Promise<never>((_resolve, reject) =>
      options?.signal.addEventListener("abort", () => reject(options.signal.reason as Error)),
    );
  const copies = new TableCopies({ describe: never } as unknown as Connection, silentLog);
  const definition = "SELECT id FROM read_parquet(main.list_value('/data/a.parquet'))";
  const copied = { source: "shop", name: "a", accessMode: "file", definition, generation: 1, rows: 1 };
  const uses = Array.from({ length: 8 }, () => copies.used(copied as AnalyticsTable, async () => {}));
  expect(await Promise.race([Promise.all(uses), Bun.sleep(5000).then(() => "hangs")])).toHaveLength(8);
  expect(copies.has(copied as AnalyticsTable)).toBe(false);
});

test("a kept statement has the current time and new random numbers", async () => {
  const times = [
    "now()",
    "current_timestamp",
    "localtimestamp",
    "current_localtimestamp()",
    "age(TIMESTAMP '2000-01-01')",
  ];
  for (const value of times) {
    const sql = `SELECT ${value}::VARCHAR AS value FROM secret LIMIT 1`;
    expect([value, await readsCopy(sql)]).toEqual([value, false]);
  }
  const sql = "SELECT random() AS value FROM secret LIMIT 1";
  expect(await readsCopy(sql)).toBe(true);
  expect(await agnes.rows(sql)).not.toEqual(await agnes.rows(sql));
});

test("a query of a copy looks up no file of its table", async () => {
  const sql = "SELECT max(id) AS id FROM secret";
  expect(await readsCopy(sql)).toBe(true);
  const parts = join(folder.path, "data/extracts/shop/data/secret");
  const [name] = readdirSync(parts);
  const [file, aside] = [join(parts, name!), join(folder.path, "aside.parquet")];
  renameSync(file, aside);
  symlinkSync(aside, file);
  try {
    expect(await agnes.rows(sql)).toEqual([{ id: 9 }]);
    // A query of two tables reads the files.
    expect(await outcomeOf("SELECT s.id FROM secret s JOIN orders o USING (id)")).toStartWith(
      "extract_changed",
    );
  } finally {
    renameSync(aside, file);
  }
});

test("a file that is replaced during a query is not copied", async () => {
  const data = join(folder.path, "data");
  const people = "SELECT 1::BIGINT AS id, 'CANARY' AS canary";
  await writeExtract(data, "hr", { tables: [{ name: "people", rows: people }] });
  await agnes.rebuild();
  const parts = join(data, "extracts/shop/data/lent");
  const [file, aside] = [join(parts, readdirSync(parts)[0]!), join(folder.path, "aside.parquet")];
  const sql = "SELECT canary FROM lent LIMIT 1";
  for (let n = 0; n < 7; n += 1) expect(await agnes.rows(sql)).toEqual([{ canary: "lent" }]);
  const result = await agnes.query(sql);
  renameSync(file, aside);
  symlinkSync(join(data, "extracts/hr/data/people.parquet"), file);
  try {
    for await (const batch of result.batches) expect(batch.numRows).toBe(1);
    expect(await outcomeOf(sql)).toStartWith("extract_changed");
  } finally {
    renameSync(aside, file);
  }
  expect(await agnes.rows(sql)).toEqual([{ canary: "lent" }]);
});

test("each generation has its own copies", async () => {
  const sql = "SELECT count(*) AS n, max(id) AS id FROM orders";
  expect(await readsCopy(sql)).toBe(true);
  const before = await agnes.rows(sql);
  syncs += 1;
  await agnes.sync();
  expect(await agnes.rows(sql)).not.toEqual(before);
  const after = await agnes.rows(sql);
  expect(await readsCopy(sql)).toBe(true);
  expect(await agnes.rows(sql)).toEqual(after);
});
