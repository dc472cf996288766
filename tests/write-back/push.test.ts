import { expect, test } from "bun:test";

import { isAgnesError, type AgnesError, type PushRequest } from "agnes";
import { int64, table } from "agnes/kit";

import { temporaryFolder } from "../sync/workspace.ts";
import { newLedger, openLedger, SECRET, toScores, type Ledger } from "./ledger.ts";

const ROWS =
  "SELECT * FROM (VALUES (1::BIGINT, 'one', 1.5::DECIMAL(12,2)), (2, NULL, NULL)) AS t(id, name, score)";

async function withLedger(
  work: (agnes: Awaited<ReturnType<typeof openLedger>>, ledger: Ledger) => Promise<void>,
) {
  using folder = temporaryFolder();
  const ledger = newLedger();
  await using agnes = await openLedger(folder.path, ledger);
  await work(agnes, ledger);
}

/** The error of a push that must write nothing. */
async function refusal(
  request: PushRequest,
  change: (ledger: Ledger) => void = () => {},
): Promise<AgnesError> {
  let found: unknown;
  await withLedger(async (agnes, ledger) => {
    change(ledger);
    found = await agnes.push(request).catch((error: unknown) => error);
    expect(ledger.rows).toEqual([]);
  });
  if (isAgnesError(found)) return found;
  throw new Error(`it was not refused: ${JSON.stringify(found)}`);
}

test("push() writes the rows of a query over published tables, in the order of the table's columns", async () => {
  await withLedger(async (agnes, ledger) => {
    await agnes.sync();
    const sql = "SELECT score, id + 1 AS id, name FROM scores";
    const report = await agnes.push(toScores(sql));
    expect(report).toEqual({
      source: "book",
      table: "scores",
      mode: "upsert",
      columns: ["id", "name", "score"],
      rows: 1,
      dryRun: false,
    });
    expect(ledger.columns).toEqual([["id", "name", "score"]]);
    expect(ledger.rows).toMatchObject([{ id: 2n, name: "one" }]);
    expect(ledger.writes).toEqual(["upsert"]);
  });
});

test("push() runs the query and the checks in a dry run and writes nothing", async () => {
  await withLedger(async (agnes, ledger) => {
    expect(await agnes.push(toScores(ROWS, { mode: "replace", dryRun: true }))).toMatchObject({
      rows: 2,
      mode: "replace",
      dryRun: true,
    });
    const twice = toScores(`${ROWS} UNION ALL ${ROWS}`, { dryRun: true });
    expect(await agnes.push(twice).catch((error: unknown) => error)).toMatchObject({ code: "write_refused" });
    expect(ledger.writes).toEqual([]);
  });
});

test("push() writes to an unregistered table by its source and name", async () => {
  await withLedger(async (agnes, ledger) => {
    const sql =
      "SELECT 1::INT AS id, TIMESTAMP '2026-01-01 00:00:00' AS at, 1::INT AS ratio, NULL::DATE AS day";
    await agnes.push({ source: "book", table: "log", sql, mode: "append" });
    await agnes.push({ source: "book", table: "log", sql, mode: "append" });
    expect(ledger.rows.map(({ id }) => id)).toEqual([1, 1]);
  });
});

test("push() asks the connector for the table, with its registered bucket and the mode", async () => {
  using folder = temporaryFolder();
  const ledger = newLedger();
  ledger.targets = { scores: table("main.scores", { id: int64() }, { primaryKey: ["id"] }) };
  await using agnes = await openLedger(folder.path, ledger);
  expect(await agnes.push(toScores("SELECT 7::BIGINT AS id"))).toMatchObject({ table: "main.scores" });
  expect(ledger.asked).toEqual([{ name: "scores", bucket: "main", mode: "upsert" }]);
  const missing = { source: "book", table: "none", sql: "SELECT 1", mode: "append" } as const;
  expect(await agnes.push(missing).catch((error: unknown) => error)).toMatchObject({
    code: "write_refused",
  });
  const leak = { ...missing, table: "leak" };
  const error = (await agnes.push(leak).catch((thrown: unknown) => thrown)) as AgnesError;
  expect(error.code).toBe("plugin_failed");
  expect(error.message).not.toContain(SECRET);
});

const refused: readonly (readonly [string, PushRequest, string, string])[] = [
  [
    "missing and extra columns",
    toScores("SELECT 1::BIGINT AS id, 'x' AS Name"),
    `no "name", "score"; the table has no "Name"`,
    `"id", "name", "score"`,
  ],
  [
    "a column that occurs twice",
    toScores("SELECT 1::BIGINT AS id, 'x' AS name, 1.5 AS score, 2.5 AS score"),
    `"score" occurs twice`,
    "",
  ],
  [
    "wider and other types",
    toScores("SELECT 1::HUGEINT AS id, 5 AS name, 1.234 AS score"),
    `"id" is DECIMAL(38,0) in the rows and BIGINT in the table; "name" is INTEGER in the rows and VARCHAR in the table; "score" is DECIMAL(4,3)`,
    `CAST("name" AS VARCHAR) AS "name"`,
  ],
  [
    "a null key",
    toScores("SELECT NULL::BIGINT AS id, 'x' AS name, 1.5 AS score"),
    `in row 1, the key column "id" is null`,
    "",
  ],
  [
    "a null key in a replacement",
    toScores("SELECT NULL::BIGINT AS id, 'x' AS name, 1.5 AS score", { mode: "replace" }),
    `"id" is null`,
    "",
  ],
  [
    "a key that occurs twice",
    toScores(`${ROWS} UNION ALL SELECT 2, 'z', 1`),
    `in row 3, the key "id" = "2" occurs again`,
    "QUALIFY",
  ],
  [
    "an upsert without a key",
    { ...toScores("SELECT 1"), source: "book", table: "log" },
    "no primary key",
    "append",
  ],
  [
    "a table that takes no rows",
    { ...toScores("SELECT 1", { mode: "append" }), source: "book", table: "fixed" },
    "does not accept rows",
    "",
  ],
];
for (const [what, request, reason, advice] of refused) {
  test(`push() refuses ${what}`, async () => {
    const error = await refusal(request);
    expect([error.code, error.message, error.hint]).toEqual([
      "write_refused",
      expect.stringContaining(reason),
      expect.stringContaining(advice),
    ] as string[]);
  });
}

test("push() refuses a source without write, an unknown mode, source and table, and SQL that is not allowed", async () => {
  const codes = [
    toScores(ROWS, { table: "papers" }),
    toScores(ROWS, { mode: "insert" as "append" }),
    toScores(ROWS, { source: "nowhere" }),
    toScores(ROWS, { table: "nothing" }),
    toScores("SELECT * FROM read_csv('/etc/passwd')"),
    toScores("DELETE FROM scores"),
    { ...toScores(ROWS), source: "book", table: "nothing" },
  ].map(async (request) => (await refusal(request)).code);
  expect(await Promise.all(codes)).toEqual([
    "capability_missing",
    "invalid_input",
    "source_unknown",
    "table_not_registered",
    "sql_not_allowed",
    "sql_not_allowed",
    "write_refused",
  ]);
});

test("push() fails with rows_lost if the source accepts another number of rows or does not read all", async () => {
  await withLedger(async (agnes, ledger) => {
    ledger.accepted = 1;
    const lost = (await agnes.push(toScores(ROWS)).catch((error: unknown) => error)) as AgnesError;
    expect([lost.code, lost.message]).toEqual([
      "rows_lost",
      'source book accepted 1 row of 2 for its table "scores"',
    ]);
    ledger.accepted = "all";
    expect(await agnes.push(toScores(ROWS)).catch((error: unknown) => error)).toMatchObject({
      code: "plugin_failed",
      message: expect.stringContaining("not the number of rows") as string,
    });
    delete ledger.accepted;
    ledger.stopsAfter = 1;
    const early = (await agnes.push(toScores(ROWS)).catch((error: unknown) => error)) as AgnesError;
    expect([early.code, early.message]).toEqual([
      "rows_lost",
      expect.stringContaining("did not read all rows"),
    ] as string[]);
  });
});

test("push() stops when it is aborted", async () => {
  const controller = new AbortController();
  controller.abort();
  expect((await refusal(toScores(ROWS, { signal: controller.signal }))).code).toBe("aborted");
});
