import { describe, expect, test } from "bun:test";

import type { Filter } from "agnes/kit";

import { liveShops } from "./live-calls.ts";

type Pushed = readonly (readonly [Filter["operator"], ...(string | bigint)[]])[];

/** Conditions on table `d`, and those that its connector receives. */
const CONDITIONS: readonly (readonly [string, Pushed])[] = [
  ["price = 5.25", [["eq", "5.25"]]],
  ["price = 5", [["eq", "5"]]],
  ["price > 9.5", [["gt", "9.5"]]],
  ["9.5 > price", [["lt", "9.5"]]],
  ["price <> 5.25", [["ne", "5.25"]]],
  ["price <= -5.25", [["le", "-5.25"]]],
  ["price = .10", [["eq", "0.1"]]],
  ["price = 0.000", [["eq", "0"]]],
  ["price = 10", [["eq", "10"]]],
  ["price = -0.1", [["eq", "-0.1"]]],
  [
    "price BETWEEN 5.25 AND 10.00",
    [
      ["ge", "5.25"],
      ["le", "10"],
    ],
  ],
  ["price IN (5.25, 10, NULL)", [["eq", "5.25", "10"]]],
  ["price NOT IN (5.25, 10)", [["ne", "5.25", "10"]]],
  ["price IS NOT NULL", [["is_not_null"]]],
  ["price < 5.25::DECIMAL(10, 2)", [["lt", "5.25"]]],
  ["price < CAST('5.25' AS DECIMAL(18, 3))", [["lt", "5.25"]]],
  ["price < '5.254'::DECIMAL(9, 2)", [["lt", "5.25"]]],
  ["price < 99999999.99", [["lt", "99999999.99"]]],
  ["exact = 99999999.9900000003", [["eq", "99999999.9900000003"]]],
  ["exact > 1234567890123456789012345678.0123456789", [["gt", "1234567890123456789012345678.0123456789"]]],
  ["exact > -1234567890123456789012345678.0123456789", [["gt", "-1234567890123456789012345678.0123456789"]]],
  // More digits than the column has: engines would round them.
  ["price > 5.255", []],
  ["price < 5.255", []],
  ["price = 5.255", []],
  ["price BETWEEN 5.25 AND 5.255", []],
  ["price IN (5.25, 5.255)", []],
  ["price < 100000000", []],
  ["price < 100000000::DECIMAL(18, 2)", []],
  // DuckDB compares these as doubles, or rounds the text to the type of the column.
  ["price > 5.25e0", []],
  ["price BETWEEN 5.25 AND 1e1", []],
  ["price > 5.25::DOUBLE", []],
  ["price < '5.254'", []],
  ["price IN (5.25, '5.26')", []],
  ["price::DOUBLE > 5.25", []],
  // Its values do not all fit the type in which DuckDB compares them.
  ["exact = 5.2500000003000", []],
];

const { runLive, shopOf } = liveShops();

describe.each(["read", "query", "selectSql"] as const)("of a live table read by %s", (by) => {
  test.each(CONDITIONS)("the condition %s is pushed down exactly", async (condition, pushed) => {
    const sql = `SELECT id FROM d WHERE ${condition} ORDER BY id`;
    const { calls, pushed: listed } = await runLive(sql, ["d"], by);
    const expected = pushed.map(([operator, ...values]) => ({
      column: condition.startsWith("exact") ? "exact" : "price",
      operator,
      values,
      ...(values.length > 0 && { isDecimal: true }),
    }));
    if (by === "read") expect(calls.map(({ options }) => options!.filter ?? [])).toEqual([expected]);
    else if (by === "selectSql") expect(calls.map(({ request }) => request!.filter)).toEqual([expected]);
    else expect(listed.map((one) => one!.conditions.length)).toEqual([pushed.length]);
    const [live, local] = [await shopOf(["d"], by), await shopOf([], "read")];
    expect(await live.agnes.rows(sql)).toEqual(await local.agnes.rows(sql));
  });
});

test("a decimal is listed as a number among the conditions of the receipt", async () => {
  const { pushed } = await runLive("SELECT id FROM d WHERE price IN (5.25, 10)", ["d"]);
  expect(pushed[0]!.conditions).toEqual(['"price" IN (5.25, 10)']);
});

test("the decimal keys of a join are pushed down only if both columns have the same type", async () => {
  const same =
    "SELECT count(*) AS n FROM d JOIN (SELECT price AS p FROM s.e WHERE id < 4) x ON d.price = x.p";
  const { calls } = await runLive(same, ["d"]);
  const [filter] = calls[0]!.options!.filter!;
  expect(filter).toMatchObject({ column: "price", operator: "eq", isDecimal: true });
  expect(filter!.values.map(String).sort()).toEqual(["-5.25", "10", "5.25", "5.26"]);
  const other = "SELECT count(*) AS n FROM d JOIN s.e ON d.price = e.exact";
  expect((await runLive(other, ["d"])).calls.map(({ options }) => options!.filter)).toEqual([undefined]);
  for (const sql of [same, other]) {
    const [live, local] = [await shopOf(["d"], "read"), await shopOf([], "read")];
    expect(await live.agnes.rows(sql)).toEqual(await local.agnes.rows(sql));
  }
});
