import { join } from "node:path";

import { createAgnes, type Agnes } from "agnes";
import {
  bool,
  date,
  decimal,
  definePlugin,
  filterToSql,
  int64,
  table,
  timestamp,
  utf8,
  type Filter,
  type ReadOptions,
  type Row,
  type SelectRequest,
  type TableInfo,
} from "agnes/kit";
import * as v from "valibot";

import { openDatabase } from "../../lib/duckdb/mod.ts";

/** One call of a connector. */
export interface ConnectorCall {
  readonly table: string;
  readonly options?: ReadOptions;
  readonly sql?: string;
  /** The argument of `selectSql`, if the connector has it. */
  readonly request?: SelectRequest;
}

/** The method of the connector: `read`, `query` with standard SQL, or `query` with SQL from its `selectSql`. */
export type LiveBy = "read" | "query" | "selectSql";

const NAMES = ["ann", "Ann", "bob", "čapek", "", "it's"];

/** As texts, "10.00" is less than "9.50", and "5.00" is not "5". */
const PRICES = [
  "5.25",
  "5.26",
  "-5.25",
  "10.00",
  "9.50",
  "0.00",
  "5.00",
  "99999999.99",
  "0.10",
  null,
  "5.25",
];

const PRICED = PRICES.map((price, id) => ({ id, price, exact: price === null ? null : `${price}00000003` }));

/** Rows with nulls, duplicates, and boundary values of all conditions in the tests. */
export const ROWS: Readonly<Record<string, readonly Row[]>> = {
  a: Array.from({ length: 12 }, (_, i) => ({
    id: i === 11 ? 50 : i % 10,
    customer: i % 4 === 3 ? null : NAMES[i % NAMES.length]!,
    kind: i % 3,
    day: i % 5 === 0 ? null : `2026-01-0${(i % 5) + 1}`,
  })),
  b: Array.from({ length: 40 }, (_, i) => ({
    id: i % 13 === 12 ? null : i % 14,
    customer: i % 7 === 6 ? null : NAMES[i % NAMES.length]!,
    amount: i % 6 === 5 ? null : (i * 37) % 11,
    day: i % 5 === 4 ? null : `2026-01-0${(i % 6) + 1}`,
    seen: i % 9 === 8 ? null : `2026-01-0${(i % 6) + 1} 0${i % 8}:00:00`,
    ok: i % 4 === 3 ? null : i % 2 === 0,
  })),
  c: Array.from({ length: 9 }, (_, i) => ({ id: i * 2, label: i % 3 === 2 ? null : `c${i % 4}` })),
  d: PRICED,
  e: PRICED,
};

const infos: readonly TableInfo[] = [
  table("a", { id: int64(), customer: utf8(), kind: int64(), day: date() }),
  table("b", { id: int64(), customer: utf8(), amount: int64(), day: date(), seen: timestamp(), ok: bool() }),
  table("c", { id: int64(), label: utf8() }),
  table("d", { id: int64(), price: decimal(10, 2), exact: decimal(38, 10) }),
  table("e", { id: int64(), price: decimal(10, 2), exact: decimal(38, 10) }),
];

/**
 * A connector that returns exactly the requested columns and the rows that match the filter, up to the limit. An
 * incorrect request therefore causes an incorrect result.
 */
function strictPlugin(calls: ConnectorCall[], more: number) {
  return definePlugin({
    name: "strict",
    version: "1.0.0",
    description: "Rows in memory",
    capabilities: ["discover", "read"],
    options: v.strictObject({}),
    secrets: {},
    connect: () => ({
      discover: async () => infos,
      async *read(info, options) {
        calls.push({ table: info.name, options });
        const { columns, filter = [], limit = Infinity } = options;
        const all =
          more > 0 && info.name === "a"
            ? Array.from({ length: more }, (_, id) => ({ id }))
            : ROWS[info.name]!;
        const rows = all.filter((row: Row) => filter.every((one) => meets(row, one))).slice(0, limit);
        const names = columns ?? info.schema.fields.map((field) => field.name);
        yield rows.map((row) => Object.fromEntries(names.map((name) => [name, (row as Row)[name]])));
      },
    }),
  });
}

/** The same rows in a database with SQL only. Its own SQL returns exactly the requested rows, in no order. */
function sqlPlugin(calls: ConnectorCall[], path: string, by: LiveBy) {
  const requests = new Map<string, SelectRequest>();
  const selectSql = ({ name }: TableInfo, request: SelectRequest): string => {
    const { columns, filter, limit = 1_000_000 } = request;
    const sql = `FROM "shop"."main"."${name}" SELECT ${[...columns].reverse().join()} WHERE ${filterToSql(filter)} LIMIT ${limit}`;
    requests.set(sql, request);
    return sql;
  };
  return definePlugin({
    name: "strict",
    version: "1.0.0",
    description: "Rows of a database",
    capabilities: ["discover", "query"],
    options: v.strictObject({}),
    secrets: {},
    connect: ({ duckdb }) => ({
      discover: async () => infos.map((info) => ({ ...info, remotePath: ["shop", "main", info.name] })),
      async query(sql, { signal }) {
        const request = requests.get(sql);
        calls.push({ table: /"main"\."(\w)"/.exec(sql)![1]!, sql, ...(request && { request }) });
        return duckdb.query(sql, { attach: { shop: path }, signal });
      },
      ...(by === "selectSql" && { selectSql }),
    }),
  });
}

function meets(row: Row, { column, operator, values, isDecimal = false }: Filter): boolean {
  const comparable = isDecimal ? comparableDecimal : comparableValue;
  const value = comparable(row[column] as Row[string]);
  if (operator === "is_null") return value === null;
  if (operator === "is_not_null") return value !== null;
  if (value === null) return false;
  const expected = values.map((one) => comparable(one)!);
  switch (operator) {
    case "eq":
      return expected.includes(value);
    case "ne":
      return !expected.includes(value);
    case "gt":
      return expected.every((one) => value > one);
    case "ge":
      return expected.every((one) => value >= one);
    case "lt":
      return expected.every((one) => value < one);
    case "le":
      return expected.every((one) => value <= one);
  }
}

/** Strings are compared by their bytes, as the contract of the kit requires. */
function comparableValue(value: unknown): bigint | string | boolean | null {
  if (typeof value === "number") return BigInt(value);
  if (typeof value === "string") return Buffer.from(value).toString("hex");
  return (value ?? null) as bigint | boolean | null;
}

/** The number in units of 10^-10. */
function comparableDecimal(value: unknown): bigint | null {
  if (value === null) return null;
  const [whole, fraction = ""] = (value as string).split(".");
  return BigInt(whole + fraction.padEnd(10, "0"));
}

/** Opens a workspace with these tables; those in `remote` are live, the others local. */
export async function openLiveShop(
  folder: string,
  options: {
    readonly remote: readonly string[];
    readonly calls?: ConnectorCall[];
    readonly by?: LiveBy;
    /** The number of rows of table `a`. Default: its own rows. */
    readonly more?: number;
    readonly isolation?: "process" | "none";
  },
): Promise<Agnes> {
  const { remote, calls = [], by = "read", more = 0, isolation = "none" } = options;
  const path = join(folder, "shop.duckdb");
  if (by !== "read") await writeShop(path);
  const agnes = await createAgnes({
    workspace: folder,
    plugins: [by === "read" ? strictPlugin(calls, more) : sqlPlugin(calls, path, by)],
    config: { version: 1, limits: { threads: 2 }, sources: { s: { plugin: "strict" } } },
    isolation,
    workers: { count: 2 },
  });
  const tables = await agnes.tables();
  for (const { name } of infos) {
    const mode = remote.includes(name) ? "remote" : by === "read" ? "local" : "materialized";
    await tables.register({
      source: "s",
      sourceTable: name,
      queryMode: mode,
      ...(mode === "materialized" ? { sourceQuery: `FROM "shop"."main"."${name}"` } : {}),
    });
  }
  const report = await agnes.sync();
  if (report.status !== "complete") throw new Error(JSON.stringify(report));
  calls.length = 0;
  return agnes;
}

async function writeShop(path: string): Promise<void> {
  await using database = await openDatabase({ path });
  await using connection = await database.connect();
  await connection.run(`
    CREATE TABLE a (id BIGINT, customer VARCHAR, kind BIGINT, day DATE);
    CREATE TABLE b (id BIGINT, customer VARCHAR, amount BIGINT, day DATE, seen TIMESTAMP, ok BOOLEAN);
    CREATE TABLE c (id BIGINT, label VARCHAR);
    CREATE TABLE d (id BIGINT, price DECIMAL(10, 2), exact DECIMAL(38, 10));
    CREATE TABLE e (id BIGINT, price DECIMAL(10, 2), exact DECIMAL(38, 10))`);
  for (const [name, rows] of Object.entries(ROWS)) {
    for (const row of rows) {
      const values = Object.values(row).map((value) =>
        typeof value === "string" ? `'${value.replaceAll("'", "''")}'` : String(value),
      );
      await connection.run(`INSERT INTO ${name} VALUES (${values.join(", ")})`);
    }
  }
}
