import { expect, test } from "bun:test";

import { isAgnesError, type Agnes } from "agnes";

import { isAllowedFunction } from "../../lib/sql/mod.ts";
import { openDatabase, type Connection } from "../../lib/duckdb/mod.ts";
import { openLiveShop } from "../query/live-shop.ts";
import { temporaryFolder } from "../sync/workspace.ts";

type ArgumentType = string | null;

/** Columns of the table `b`, or nulls and constants where its values do not fit, by the type of an argument. */
const BY_TYPE: Readonly<Record<string, string>> = {
  VARCHAR: "customer",
  BOOLEAN: "ok",
  DATE: "day",
  TIMESTAMP: "seen",
};
const isAny = (type: ArgumentType) => type === null || /^[A-Z]$|ANY/.test(type);
const ARGUMENTS: readonly ((type: ArgumentType) => string)[] = [
  (type) => (isAny(type) ? "id" : (BY_TYPE[type!] ?? `id::${type}`)),
  (type) => (isAny(type) ? "customer" : `NULL::${type}`),
  (type) => (type === "DOUBLE" || type === "FLOAT" ? "(id / 20)" : type?.endsWith("]") ? "[1.5]" : "1"),
  (type) => (type?.startsWith("LAMBDA") ? "lambda x: x > 0" : "[id]"),
  (type) => (isAny(type) ? "seen" : "'a'"),
  () => "MAP { id: id }",
  () => "{ a: id }",
  (type) => (type === "VARCHAR" ? "'sum'" : "[id, 1]"),
];

/** Functions whose arguments follow rules of their own. */
const CALLS: Readonly<Record<string, string>> = {
  ago: "ago(INTERVAL 1 DAY)",
  approx_quantile: "approx_quantile(id, 0.5)",
  array_append: "array_append([id], id)",
  array_push_back: "array_push_back([id], id)",
  array_prepend: "array_prepend(id, [id])",
  array_push_front: "array_push_front([id], id)",
  array_reduce: "array_reduce([id], lambda x, y: x + y)",
  array_slice: "array_slice([id], 1, 1)",
  array_to_string: "array_to_string([customer], ',')",
  array_where: "array_where([id], [true])",
  array_zip: "array_zip([id], [id])",
  array_to_json: "array_to_json([id])",
  array_to_string_comma_default: "array_to_string_comma_default([customer])",
  array_value: "array_value(id, 1)",
  bitstring_agg: "bitstring_agg(id, 0, 20)",
  create_sort_key: "create_sort_key(id, 'ASC NULLS FIRST')",
  element_at: "element_at(MAP { id: id }, id)",
  format: "format('{}', customer)",
  generate_subscripts: "generate_subscripts([id], 1)",
  fill: "fill(id) OVER (ORDER BY id)",
  flatten: "flatten([[id]])",
  json_quote: "json_quote(customer)",
  list_bool_or: "list_bool_or([ok])",
  list_zip: "list_zip([id], [id])",
  list_append: "list_append([id], id)",
  list_bool_and: "list_bool_and([ok])",
  list_prepend: "list_prepend(id, [id])",
  list_reduce: "list_reduce([id], lambda x, y: x + y)",
  list_slice: "list_slice([id], 1, 1)",
  list_where: "list_where([id], [true])",
  map_concat: "map_concat(MAP { id: id }, MAP { id: 2::BIGINT })",
  map_contains: "map_contains(MAP { id: id }, 1)",
  map_contains_entry: "map_contains_entry(MAP { id: id }, id, id)",
  map_contains_value: "map_contains_value(MAP { id: id }, id)",
  map_extract_value: "map_extract_value(MAP { id: id }, id)",
  map_extract: "map_extract(MAP { id: id }, 1)",
  map_from_entries: "map_from_entries([{ k: id, v: id }])",
  position: "position(customer IN 'ann')",
  printf: "printf('%s', customer)",
  quantile: "quantile(id, 0.5)",
  quantile_cont: "quantile_cont(id, 0.5)",
  quantile_disc: "quantile_disc(id, 0.5)",
  reduce: "reduce([id], lambda x, y: x + y)",
  remap_struct: "remap_struct({ a: id }, NULL::STRUCT(a BIGINT), { a: 'a' }, NULL)",
  round_even: "round_even(id, 1)",
  roundbankers: "roundbankers(id, 1)",
  row: "row(id, 1)",
  row_to_json: "row_to_json({ a: id })",
  split_part: "split_part(customer, 'n', 1)",
  struct_concat: "struct_concat({ a: id }, { z: 1 })",
  struct_contains: "struct_contains(row(id, 1), 1)",
  struct_extract_at: "struct_extract_at(row(id, 1), 1)",
  struct_has: "struct_has(row(id, 1), 1)",
  struct_indexof: "struct_indexof(row(id, 1), 1)",
  struct_position: "struct_position(row(id, 1), 1)",
  struct_extract: "struct_extract({ a: id }, 'a')",
  struct_insert: "struct_insert({ a: id }, z := 1)",
  struct_pack: "struct_pack(a := id)",
  struct_update: "struct_update({ a: id }, a := 1)",
  switch: "switch(id, MAP { 1: 2 }, 0)",
  to_json: "to_json(id)",
  union_value: "union_value(a := id)",
  union_extract: "union_extract(union_value(a := id), 'a')",
  union_tag: "union_tag(union_value(a := id))",
  ...Object.fromEntries(
    [
      "cosine_distance",
      "cosine_similarity",
      "distance",
      "dot_product",
      "inner_product",
      "negative_dot_product",
      "negative_inner_product",
    ].map((name) => [
      `array_${name}`,
      `array_${name}(array_value(id::FLOAT, 1::FLOAT), array_value(id::FLOAT, 2::FLOAT))`,
    ]),
  ),
  ...Object.fromEntries(
    ["code", "first", "last", "range"].map((name) => [`enum_${name}`, `enum_${name}('a'::ENUM('a', 'b'))`]),
  ),
  ...Object.fromEntries(
    ["cume_dist", "dense_rank", "percent_rank", "rank", "rank_dense", "row_number"].map((name) => [
      name,
      `${name}() OVER (ORDER BY id)`,
    ]),
  ),
  ...Object.fromEntries(
    ["first_value", "last_value", "lag", "lead", "ntile"].map((name) => [
      name,
      `${name}(id) OVER (ORDER BY id)`,
    ]),
  ),
  nth_value: "nth_value(id, 2) OVER (ORDER BY id)",
};

/** A call of each allowed function that DuckDB answers over the rows of `b`, and the functions without one. */
async function callsOf(
  connection: Connection,
): Promise<{ readonly calls: string[]; readonly uncalled: string[] }> {
  const functions = await connection.rows<{ name: string; forms: ArgumentType[][] }>(
    `SELECT function_name AS name, list(DISTINCT parameter_types) AS forms FROM duckdb_functions()
     WHERE function_type IN ('scalar', 'aggregate', 'macro') GROUP BY name ORDER BY name`,
  );
  const calls: string[] = [];
  const uncalled: string[] = [];
  for (const { name, forms } of functions) {
    if (!isAllowedFunction(name)) continue;
    const call = await firstThatWorks(connection, candidates(name, forms));
    if (call === undefined) uncalled.push(name);
    else calls.push(call);
  }
  return { calls, uncalled };
}

function* candidates(name: string, forms: readonly (readonly ArgumentType[])[]): Generator<string> {
  const known = CALLS[name];
  if (known !== undefined) yield known;
  const called = /^\w+$/.test(name) ? name : `"${name}"`;
  for (const form of forms.toSorted((a, b) => a.length - b.length).slice(0, 12)) {
    for (const one of ARGUMENTS) yield `${called}(${form.map(one).join(", ")})`;
  }
}

async function firstThatWorks(connection: Connection, calls: Iterable<string>): Promise<string | undefined> {
  for (const call of calls) {
    try {
      await connection.run(`SELECT ${call} FROM b`);
      return call;
    } catch (error) {
      if (!isAgnesError(error)) throw error;
    }
  }
  return undefined;
}

/** The code and message of what an answer fails with; null when it does not. */
async function failureOf(agnes: Agnes, sql: string): Promise<string | null> {
  try {
    const result = await agnes.query(sql);
    for await (const _batch of result.batches);
    return null;
  } catch (error) {
    if (!isAgnesError(error)) throw error;
    return `${error.code}: ${error.message}`;
  }
}

test("runQuery() answers every allowed function over a live table", async () => {
  using folder = temporaryFolder();
  await using database = await openDatabase();
  await using connection = await database.connect();
  await connection.run(
    `CREATE TABLE b AS SELECT 3::BIGINT AS id, 'ann' AS customer, DATE '2026-01-02' AS day,
       TIMESTAMP '2026-01-02' AS seen, true AS ok`,
  );
  const { calls, uncalled } = await callsOf(connection);
  // They take the state of an aggregate, which no allowed expression has.
  expect(uncalled).toEqual(["combine", "finalize"]);
  const agnes = await openLiveShop(folder.path, { remote: ["b"] });
  try {
    const failed: string[] = [];
    for (const call of calls) {
      const failure = await failureOf(agnes, `SELECT ${call} FROM b WHERE id = 3`);
      if (failure !== null) failed.push(`${call} ${failure}`);
    }
    expect(failed).toEqual([]);
  } finally {
    await agnes.close();
  }
});
