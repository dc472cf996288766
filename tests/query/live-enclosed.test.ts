import { expect, test } from "bun:test";

import { liveShops } from "./live-calls.ts";

const { runLive } = liveShops();

test.each([
  ["CTE", "WITH o AS (SELECT * FROM b) SELECT o.amount FROM a JOIN o USING (id) WHERE a.kind = 1", "id", 4],
  ["CTE of a schema", "WITH o AS (FROM s.b) SELECT 1 FROM a JOIN o USING (id) WHERE a.kind = 1", "id", 4],
  [
    "materialized CTE",
    "WITH o AS MATERIALIZED (SELECT id FROM b) SELECT 1 FROM a, o WHERE a.id = o.id AND a.kind = 1",
    "id",
    4,
  ],
  [
    "CTE that renames",
    "WITH o AS (SELECT amount AS id, id AS k FROM b) SELECT 1 FROM a JOIN o ON o.id = a.kind",
    "amount",
    3,
  ],
  [
    "CTE with its own filter and computed columns",
    "WITH o AS (SELECT id, lower(customer) AS who FROM b WHERE lower(customer) < 'c') SELECT who FROM a JOIN o USING (id)",
    "id",
    11,
  ],
  [
    "CTE of a CTE",
    "WITH o AS (FROM b), p AS (SELECT o.id AS k FROM o WHERE amount + 1 > 2) SELECT 1 FROM p JOIN a ON k = a.id",
    "id",
    11,
  ],
  ["derived table", "SELECT 1 FROM a JOIN (SELECT id AS k FROM b) x ON x.k = a.id WHERE a.kind = 1", "id", 4],
  [
    "derived table of a CTE",
    "WITH o AS (FROM b) SELECT 1 FROM a JOIN (SELECT * FROM o) x USING (id) WHERE a.kind = 1",
    "id",
    4,
  ],
  [
    "CTE, joined with a CTE",
    "WITH o AS (FROM b), w AS (SELECT id AS k FROM a WHERE kind = 1) SELECT 1 FROM w JOIN o ON o.id = w.k",
    "id",
    4,
  ],
  ["CTE in IN", "WITH o AS (FROM b) SELECT 1 FROM o WHERE id IN (SELECT id FROM a WHERE kind = 1)", "id", 4],
  [
    "CTE in EXISTS",
    "WITH o AS (FROM b) SELECT 1 FROM o WHERE EXISTS (FROM a WHERE a.id = o.id AND kind = 1)",
    "id",
    4,
  ],
  ["CTE in a LEFT JOIN", "WITH o AS (FROM b) SELECT 1 FROM a LEFT JOIN o ON o.id = a.id", "id", 11],
  [
    "CTE in a scalar subquery",
    "WITH o AS (FROM b) SELECT (SELECT count(*) FROM a JOIN o USING (id))",
    "id",
    11,
  ],
])(
  "a live table inside a %s gets the keys of what that is joined with",
  async (_name, sql, column, values) => {
    const { calls, pushed } = await runLive(sql);
    const filters = calls.map(({ options }) =>
      options!.filter!.map((one) => [one.column, one.values.length]),
    );
    expect(filters).toEqual([[[column, values]]]);
    expect(pushed[0]!.keys).toEqual([{ column, values }]);
  },
);

test.each([
  ["with two references", "WITH o AS (FROM b) SELECT 1 FROM a JOIN o USING (id), o p"],
  ["that is also described", "WITH o AS (FROM b) SELECT 1 FROM a JOIN o USING (id), (DESCRIBE o)"],
  [
    "of a CTE that is named twice",
    "WITH o AS (FROM b), p AS (FROM o) SELECT 1 FROM a JOIN p USING (id), p q",
  ],
  ["that groups", "WITH o AS (SELECT id FROM b GROUP BY id) SELECT 1 FROM a JOIN o USING (id)"],
  [
    "that groups all",
    "WITH o AS (SELECT id, count(*) FROM b GROUP BY ALL) SELECT 1 FROM a JOIN o USING (id)",
  ],
  ["with a limit", "WITH o AS (FROM b LIMIT 30) SELECT 1 FROM a JOIN o USING (id)"],
  ["with an order", "WITH o AS (FROM b ORDER BY amount) SELECT 1 FROM a JOIN o USING (id)"],
  ["with DISTINCT", "WITH o AS (SELECT DISTINCT id FROM b) SELECT 1 FROM a JOIN o USING (id)"],
  ["with DISTINCT ON", "WITH o AS (SELECT DISTINCT ON (ok) id FROM b) SELECT 1 FROM a JOIN o USING (id)"],
  [
    "with a window",
    "WITH o AS (SELECT id, 1 + row_number() OVER () AS n FROM b) SELECT 1 FROM a JOIN o USING (id)",
  ],
  [
    "with QUALIFY",
    "WITH o AS (SELECT id FROM b QUALIFY row_number() OVER () < 9) SELECT 1 FROM a JOIN o USING (id)",
  ],
  ["with a sample", "WITH o AS (SELECT id FROM b USING SAMPLE 9) SELECT 1 FROM a JOIN o USING (id)"],
  ["with a sampled table", "WITH o AS (SELECT id FROM b TABLESAMPLE 90%) SELECT 1 FROM a JOIN o USING (id)"],
  ["of a union", "WITH o AS (SELECT id FROM b UNION SELECT id FROM c) SELECT 1 FROM a JOIN o USING (id)"],
  ["of a join", "WITH o AS (SELECT b.id FROM b, c) SELECT 1 FROM a JOIN o USING (id)"],
  [
    "that renames its columns",
    "WITH o(id, x) AS (SELECT amount, id FROM b) SELECT 1 FROM a JOIN o USING (id)",
  ],
  [
    "whose columns are renamed outside",
    "WITH o AS (FROM b) SELECT 1 FROM a JOIN o AS p(x, y, id) USING (id)",
  ],
  ["that computes the column", "WITH o AS (SELECT id + 1 AS id FROM b) SELECT 1 FROM a JOIN o USING (id)"],
  ["with two such columns", "WITH o AS (SELECT id, amount AS id FROM b) SELECT 1 FROM a JOIN o USING (id)"],
  [
    "with a changed star",
    "WITH o AS (SELECT * REPLACE (amount AS id) FROM b) SELECT 1 FROM a JOIN o USING (id)",
  ],
  [
    "that is pivoted",
    "WITH o AS (FROM b) SELECT 1 FROM (PIVOT o ON ok IN (true) USING max(amount) GROUP BY id) JOIN a USING (id)",
  ],
  ["whose rows are all preserved", "WITH o AS (FROM b) SELECT 1 FROM o LEFT JOIN a USING (id)"],
])("no keys are pushed down to a live table in a CTE %s", async (_name, sql) => {
  const { calls } = await runLive(sql);
  expect(calls.map(({ options }) => options!.filter)).toEqual([undefined]);
});

test("the conditions around a CTE or derived table are pushed down to its live table", async () => {
  const conditions = "id BETWEEN 2 AND 5 AND who = 'ann' AND amount IS NULL";
  const body = "SELECT id, customer AS who, amount FROM b WHERE ok = true";
  for (const sql of [
    `WITH o AS (${body}) SELECT 1 FROM o WHERE ${conditions}`,
    `SELECT 1 FROM (${body}) WHERE ${conditions}`,
    `WITH o AS (${body}) FROM (SELECT who FROM (FROM o WHERE amount IS NULL) WHERE id BETWEEN 2 AND 5) WHERE who = 'ann'`,
  ]) {
    const { calls, pushed } = await runLive(sql);
    expect(calls.map(({ options }) => options!.filter)).toEqual([
      expect.arrayContaining([
        { column: "ok", operator: "eq", values: [true] },
        { column: "id", operator: "ge", values: [2n] },
        { column: "id", operator: "le", values: [5n] },
        { column: "customer", operator: "eq", values: ["ann"] },
        { column: "amount", operator: "is_null", values: [] },
      ]),
    ]);
    expect(pushed[0]!.conditions).toHaveLength(5);
  }
});
