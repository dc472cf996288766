import { afterAll, beforeAll, expect, test } from "bun:test";

import { createAgnes, type Agnes } from "agnes";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import duckdb from "../../plugins/duckdb/plugin.ts";
import { makeWarehouse, rowsOf, tableOf, type Warehouse } from "./support.ts";

let warehouse: Warehouse;
beforeAll(async () => {
  warehouse = await makeWarehouse("CREATE TYPE state AS ENUM ('z', 'a')");
});
afterAll(() => warehouse[Symbol.asyncDispose]());

async function change(sql: string): Promise<void> {
  await using database = await openDatabase({ path: warehouse.file });
  await using connection = await database.connect();
  await connection.run(sql);
}

async function openAgnes(): Promise<Agnes> {
  return createAgnes({
    workspace: warehouse.directory,
    plugins: [duckdb],
    config: {
      version: 1,
      sources: { wh: { plugin: "duckdb", register: "all", options: { path: "warehouse.duckdb" } } },
    },
  });
}

const refused = {
  uhugeint: ["UHUGEINT", "9"],
  bignum: ["BIGNUM", "9"],
  state: ["state", "'z'"],
  bits: ["BIT", "'1'"],
  span: ["INTERVAL", "INTERVAL 9 DAYS"],
  clock: ["TIMETZ", "'10:00:00+02'"],
  list: ["INTEGER[]", "[9]"],
} as const;

test("a cursor whose text or bytes sort differently from its values is rejected by name", async () => {
  const columns = Object.entries(refused);
  await change(
    `${columns.map(([name, [type, value]]) => `CREATE TABLE ${name} AS SELECT 1 AS id, CAST(${value} AS ${type}) AS c`).join(";")};
     CREATE TABLE good AS SELECT 1 AS id, 1::HUGEINT AS c;`,
  );
  await using agnes = await openAgnes();
  const registry = await agnes.tables();
  await agnes.sync();
  for (const name of [...Object.keys(refused), "good"]) {
    await registry.update(`wh.${name}`, { syncStrategy: "incremental", incrementalColumn: "c" });
  }
  const { sources } = await agnes.sync();
  const tables = sources.flatMap(({ stats }) => stats?.tables ?? []);
  const messages = Object.fromEntries(tables.map(({ name, error }) => [name, error?.message]));
  for (const [name, [type]] of columns) {
    const named = { state: "ENUM", clock: "TIME WITH TIME ZONE" }[name] ?? type;
    const kept = name === "list" ? "INTEGER[]" : "VARCHAR";
    expect(messages[name]).toContain(`its cursor column "c" is ${named} and stored as ${kept}`);
  }
  expect(messages["good"]).toBeUndefined();
  const { hint } = tables.find(({ name }) => name === "bits")!.error!;
  expect(hint).toContain("`agnes table update wh.bits --incremental-column COLUMN`");
});

test("a text cursor with a collation is compared byte by byte, like its published values", async () => {
  await change(
    "CREATE TABLE words (id INTEGER, c VARCHAR COLLATE NOCASE); INSERT INTO words VALUES (1, 'B')",
  );
  const handle = await warehouse.connect();
  await using agnes = await openAgnes();
  await agnes.sync();
  await (
    await agnes.tables()
  ).update("wh.words", {
    syncStrategy: "incremental",
    incrementalColumn: "c",
    primaryKey: ["id"],
  });
  await agnes.sync();
  await change("INSERT INTO words VALUES (2, 'a'), (3, 'A'), (4, 'C')");
  await agnes.sync();
  expect(await agnes.rows("SELECT id FROM words ORDER BY id")).toEqual([{ id: 1 }, { id: 2 }, { id: 4 }]);
  const words = await tableOf(handle, "words");
  const ids = async (operator: "eq" | "ne" | "gt", value: string) =>
    (await rowsOf(handle, words, { filter: [{ column: "c", operator, values: [value] }] })).map(
      (row) => row["id"],
    );
  expect(await ids("eq", "a")).toEqual([2]);
  expect(await ids("ne", "a")).toEqual([1, 3, 4]);
  expect(await ids("gt", "B")).toEqual([2, 4]);
});

test("conditions on columns that are stored as text compare the text", async () => {
  await change(
    `CREATE TABLE kept AS SELECT id, n::UHUGEINT AS n, e::state AS e, union_value(a := n) AS v, gen_random_uuid() AS u
       FROM (VALUES (1, 9, 'z'), (2, 10, 'a')) t(id, n, e)`,
  );
  const handle = await warehouse.connect();
  const kept = await tableOf(handle, "kept");
  const ids = async (column: string, operator: "eq" | "gt", value: string) =>
    (await rowsOf(handle, kept, { filter: [{ column, operator, values: [value] }], limit: 1 })).map(
      (row) => row["id"],
    );
  expect(await ids("n", "gt", "5")).toEqual([1]);
  expect(await ids("n", "gt", "9x")).toEqual([]);
  expect(await ids("e", "gt", "b")).toEqual([1]);
  expect(await ids("e", "eq", "other")).toEqual([]);
  expect(await ids("u", "eq", "other")).toEqual([]);
  // SQL has no text for it, so the core compares all rows.
  expect(await ids("v", "eq", "other")).toEqual([1, 2]);
});

test("a cursor and a condition may contain a NUL", async () => {
  await change(
    `CREATE TABLE nuls AS SELECT * FROM (VALUES (1, 'a' || chr(0) || 'b'), (2, 'a' || chr(0) || 'c')) t(id, c)`,
  );
  const handle = await warehouse.connect();
  const nuls = await tableOf(handle, "nuls");
  const after = { cursor: { column: "c", value: "a\0b", inclusive: false } };
  expect((await rowsOf(handle, nuls, after)).map((row) => row["id"])).toEqual([2]);
  const equal = { filter: [{ column: "c", operator: "eq", values: ["a\0b"] }] } as const;
  expect((await rowsOf(handle, nuls, equal)).map((row) => row["id"])).toEqual([1]);
});

test("a condition without an exact literal, and the limit of such a read, are left to the reader", async () => {
  await change(`CREATE TABLE doubles AS SELECT * FROM (VALUES (1, 1.5::DOUBLE), (2, 2.5)) t(id, c)`);
  const handle = await warehouse.connect();
  const doubles = await tableOf(handle, "doubles");
  const filter = [{ column: "c", operator: "lt", values: [NaN] }] as const;
  expect((await rowsOf(handle, doubles, { filter, limit: 1 })).map((row) => row["id"])).toEqual([1, 2]);
});

test("an incremental table is read from scratch when the path of its database changes", async () => {
  await using other = await makeWarehouse(
    "CREATE TABLE t AS SELECT * FROM (VALUES (1, 3), (2, 20)) v(id, ts)",
  );
  await using first = await makeWarehouse("CREATE TABLE t AS SELECT 5 AS id, 10 AS ts");
  const open = (path: string) =>
    createAgnes({
      workspace: first.directory,
      plugins: [duckdb],
      config: { version: 1, sources: { wh: { plugin: "duckdb", register: "all", options: { path } } } },
    });
  {
    await using agnes = await open("warehouse.duckdb");
    await agnes.sync();
    await (
      await agnes.tables()
    ).update("wh.t", {
      syncStrategy: "incremental",
      incrementalColumn: "ts",
      primaryKey: ["id"],
    });
    await agnes.sync();
    const { sources } = await agnes.sync();
    expect(sources[0]!.stats!.tables[0]).toMatchObject({ status: "unchanged", full: false });
  }
  await using agnes = await open(other.file);
  const { sources } = await agnes.sync();
  expect(sources[0]!.stats!.tables[0]!.notes).toEqual([
    "its configuration or the merge rules of Agnes changed, so the table was read in full",
  ]);
  expect(await agnes.rows("SELECT id FROM t ORDER BY id")).toEqual([{ id: 1 }, { id: 2 }]);
});
