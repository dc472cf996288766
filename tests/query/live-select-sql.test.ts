import { expect, test } from "bun:test";

import { createAgnes } from "agnes";
import { definePlugin, int64, table, utf8, type SelectRequest } from "agnes/kit";
import * as v from "valibot";

import { temporaryFolder } from "../sync/workspace.ts";
import { liveShops } from "./live-calls.ts";

const { runLive, shopOf } = liveShops();

test("selectSql() receives the columns and all conditions, also those that differ between engines", async () => {
  const { calls, pushed } = await runLive(
    "SELECT amount FROM b WHERE id >= 3 AND customer < 'z' AND seen > '2026-01-01' AND day IS NOT NULL",
    ["b"],
    "selectSql",
  );
  expect(calls.map(({ request }) => request)).toEqual([
    {
      columns: ["id", "customer", "amount", "day", "seen"],
      filter: expect.arrayContaining([
        { column: "id", operator: "ge", values: [3n] },
        { column: "customer", operator: "lt", values: ["z"] },
        { column: "seen", operator: "gt", values: ["2026-01-01 00:00:00"] },
        { column: "day", operator: "is_not_null", values: [] },
      ]),
    },
  ]);
  expect(calls[0]!.sql).toStartWith('FROM "shop"."main"."b" SELECT seen,day,amount,customer,id WHERE ');
  expect(pushed[0]!.conditions).toHaveLength(4);
});

test("selectSql() receives the keys of a join", async () => {
  const { calls, pushed } = await runLive(
    "WITH o AS (FROM b) SELECT o.amount FROM a JOIN o USING (id) WHERE a.kind = 1",
    ["b"],
    "selectSql",
  );
  const [{ filter }] = calls.map(({ request }) => request!) as [SelectRequest];
  expect(filter.map(({ column, operator }) => [column, operator])).toEqual([["id", "eq"]]);
  expect(filter[0]!.values.map(String).sort()).toEqual(["0", "1", "4", "7"]);
  expect(pushed[0]!.keys).toEqual([{ column: "id", values: 4 }]);
});

test.each([
  ["without a condition", "SELECT id FROM b LIMIT 3 OFFSET 1", 4],
  ["below an order of texts", "SELECT id FROM b WHERE customer > 'a' LIMIT 3", 3],
  ["not for an aggregate", "SELECT count(*) FROM b WHERE id > 3 LIMIT 3", undefined],
])("selectSql() receives the limit %s", async (_name, sql, limit) => {
  const { calls } = await runLive(sql, ["b"], "selectSql");
  expect(calls.map(({ request }) => request!.limit)).toEqual([limit]);
});

test("selectSql() receives a column for count(*), and is not called for DESCRIBE", async () => {
  const { calls } = await runLive("SELECT count(*) FROM b", ["b"], "selectSql");
  expect(calls.map(({ request }) => request)).toEqual([{ columns: ["id"], filter: [] }]);
  expect((await runLive("DESCRIBE b", ["b"], "selectSql")).calls).toEqual([]);
});

test("results equal those of local tables if selectSql() applies all its arguments", async () => {
  const local = await shopOf([], "read");
  const live = await shopOf(["b", "c"], "selectSql");
  for (const sql of [
    "SELECT * FROM b WHERE customer >= 'a' AND seen < '2026-01-05' ORDER BY ALL",
    "SELECT count(*) FROM (SELECT id FROM b WHERE customer > 'a' LIMIT 4)",
    "WITH o AS (SELECT id AS k, amount FROM b WHERE ok = true) SELECT c.label, sum(o.amount) FROM c JOIN o ON o.k = c.id GROUP BY ALL ORDER BY ALL",
    "SELECT a.id, b.amount FROM a LEFT JOIN b ON a.id = b.id AND b.customer <> 'ann' ORDER BY ALL",
  ]) {
    expect(await live.agnes.rows(sql)).toEqual([...(await local.agnes.rows(sql))]);
  }
});

const VALUES = "(VALUES (1::BIGINT, 'ann'), (2, 'bob'), (3, 'ann')) AS t(id, who)";

test("conditions that selectSql() omits are applied by DuckDB, and invalid SQL fails the query", async () => {
  using folder = temporaryFolder();
  let selectSql: (request: SelectRequest) => unknown = ({ columns }) =>
    `SELECT ${columns.join()} FROM ${VALUES}`;
  const plugin = definePlugin({
    name: "own",
    version: "1.0.0",
    description: "Own SQL",
    capabilities: ["discover", "query"],
    options: v.strictObject({}),
    secrets: {},
    connect: ({ duckdb }) => ({
      discover: async () => [table("rows", { id: int64(), who: utf8() })],
      query: (sql, { signal }) => duckdb.query(sql, { signal }),
      selectSql: (_table, request) => selectSql(request) as string,
    }),
  });
  await using agnes = await createAgnes({
    workspace: folder.path,
    plugins: [plugin],
    config: { version: 1, sources: { s: { plugin: "own" } } },
  });
  await (await agnes.tables()).register({ source: "s", sourceTable: "rows", queryMode: "remote" });
  await agnes.sync();
  expect(await agnes.rows("SELECT id FROM rows WHERE who = 'ann' AND id > 1")).toEqual([{ id: 3 }]);
  const wrong: readonly (readonly [unknown, string])[] = [
    [undefined, "undefined"],
    [Promise.resolve("SELECT 1 AS id"), "[object Promise]"],
    [" ", '" "'],
  ];
  for (const [returned, shown] of wrong) {
    selectSql = () => returned;
    expect(await agnes.rows("SELECT id FROM rows").catch(String)).toContain(
      `it returned ${shown}, which is not SQL`,
    );
  }
});
