import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { isDeepStrictEqual } from "node:util";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import { isAllowedFunction, isAllowedTableFunction } from "../../lib/sql/mod.ts";
import { analyticsQueries } from "./analytics-queries.ts";
import { GREEDY, injections, PLACES, STATEMENTS } from "./hostile-sql.ts";
import {
  askLookups,
  CANARY,
  expectPrompt,
  makeShop,
  report,
  SHOP,
  startServer,
  watchMemory,
  type RunningServer,
  type ServedShop,
} from "./serve-process.ts";

/** The memory of one worker with `limits.memoryMb: 256`, and what it may have above it until the parent looks again. */
const WORKER_MB = 576 + 200;
const PARENT_MB = 700;

let shop: ServedShop;
let server: RunningServer;
let before: Readonly<Record<string, string>>;
beforeAll(async () => {
  shop = await makeShop();
  before = shop.hashes();
  server = await startServer(shop.path);
  await server.query(shop.tokens.ann, { sql: "SELECT 1" });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await shop[Symbol.asyncDispose]();
});

interface Outcome {
  readonly what: string;
  readonly status: number;
  readonly body: string;
}

/** Runs requests, eight at a time, while another client asks for its rows. Returns the outcomes. */
async function attack(
  requests: readonly { readonly path?: string; readonly body: object }[],
): Promise<readonly Outcome[]> {
  const lookups = askLookups(server, shop.tokens.ann);
  const memory = watchMemory(server);
  const outcomes: Outcome[] = [];
  const todo = requests.values();
  const ask = async () => {
    for (const { path = "/api/query", body } of todo) {
      const what = `${path} ${JSON.stringify(body)}`.slice(0, 300);
      const response = await server.post(shop.tokens.mallory, path, body);
      // A failure after the first bytes breaks the connection.
      const text = await response.text().catch((error: unknown) => `broken: ${String(error)}`);
      outcomes.push({ what, status: response.status, body: text });
    }
  };
  await Promise.all(Array.from({ length: 8 }, ask));
  const [times, peak] = [await lookups.stop(), memory.stop()];
  const counts = [...new Set(outcomes.map(({ status }) => status))].map(
    (one) => `${one}: ${outcomes.filter(({ status }) => status === one).length}`,
  );
  report(`${requests.length} requests (${counts.join(", ")}), MB ${JSON.stringify(peak)}`);
  expectPrompt(times);
  expect(peak.worker).toBeLessThan(WORKER_MB);
  expect(peak.parent).toBeLessThan(PARENT_MB);
  expect(summary(outcomes.filter(({ body }) => CANARY.test(body)))).toEqual([]);
  return outcomes;
}

/** The first of some outcomes. */
function summary(outcomes: readonly Outcome[]): readonly string[] {
  return outcomes.slice(0, 5).map(({ what, status, body }) => `${what} → ${status} ${body.slice(0, 300)}`);
}

/** Checks the server after an attack: nothing has changed, and it works. */
async function expectWhole(): Promise<void> {
  expect(shop.hashes()).toEqual(before);
  expect(server.child.exitCode).toBeNull();
  const response = await server.query(shop.tokens.mallory, { sql: "SELECT count(*) AS n FROM orders" });
  expect(await response.json()).toMatchObject({ rows: [[20_000]] });
}

const filled = (text: string) => text.replaceAll("{path}", shop.path);

test("injection strings as SQL, condition, name and value read and change nothing else", async () => {
  const scan = (body: object) => ({ path: "/api/v2/scan", body: { table_id: "orders", limit: 3, ...body } });
  const outcomes = await attack(
    injections().flatMap((text) => {
      const line = filled(text);
      return [
        { body: { sql: line } },
        { body: { sql: `SELECT id FROM orders WHERE id = ${line}` } },
        { body: { sql: `SELECT id FROM orders WHERE label = '${line}'` } },
        { body: { sql: `SELECT id FROM orders WHERE label = '${line.replaceAll("'", "''")}'` } },
        { body: { sql: `SELECT "${line.replaceAll('"', '""')}" FROM orders` } },
        { body: { sql: `SELECT id FROM "${line.replaceAll('"', '""')}"` } },
        scan({ where: line }),
        scan({ where: `label = '${line}'` }),
        scan({ where: `label = '${line.replaceAll("'", "''")}'` }),
        scan({ select: [line] }),
        scan({ order_by: [line] }),
        scan({ table_id: line.slice(0, 400) }),
        { body: { sql: "SELECT 1", register: { [line]: { source: line || "x", sql: line || "x" } } } },
      ];
    }),
  );
  expect(summary(outcomes.filter(({ status }) => status >= 500 || status === 429))).toEqual([]);
  // A quoted value is a value.
  const values = outcomes.filter(({ what }) => what.includes("\"label = '") && !what.includes("\\u0000"));
  expect(values.some(({ status }) => status === 200)).toBeTrue();
  await expectWhole();
});

test("statements that read or write elsewhere are rejected", async () => {
  const outcomes = await attack(STATEMENTS.map((sql) => ({ body: { sql: filled(sql) } })));
  const allowed = outcomes.filter(({ status }) => status < 400).map(({ what }) => what);
  // They show only what the caller may see.
  expect(allowed.filter((what) => !/information_schema|WITH orders AS/.test(what))).toEqual([]);
  expect(summary(outcomes.filter(({ status }) => status >= 500))).toEqual([]);
  expect(summary(outcomes.filter(({ body }) => body.includes('"safe"') && body.includes('"rows":')))).toEqual(
    [],
  );
  await expectWhole();
});

describe("every function of DuckDB", () => {
  interface Called {
    readonly name: string;
    readonly isAllowed: boolean;
  }

  async function functions(): Promise<readonly Called[]> {
    await using database = await openDatabase();
    await using connection = await database.connect();
    const rows = await connection.rows<{ name: string; isTable: boolean }>(
      `SELECT function_name AS name, bool_or(function_type IN ('table', 'table_macro', 'pragma')) AS "isTable"
       FROM duckdb_functions() GROUP BY name ORDER BY name`,
    );
    return rows.map(({ name, isTable }) => ({
      name,
      isAllowed: isAllowedFunction(name) || (isTable && isAllowedTableFunction(name)),
    }));
  }

  const ARGUMENTS = ["'{path}/secret.csv'", "'AGNES_TEST_CANARY'", "", "'vault.safe'", "1", "'safe', 1"];

  /** A call of a function at some of the places: each function at others, and each place with others. */
  function callsOf({ name }: Called, at: number, share: number): readonly string[] {
    const called = /^\w+$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
    return PLACES.filter((_place, index) => (index + at) % share === 0).map((place, index) => {
      const parameters = filled(ARGUMENTS[(index + at) % ARGUMENTS.length]!);
      return place
        .replaceAll("{call}", () => `${called}(${parameters})`)
        .replaceAll("{name}", () => called)
        .replaceAll("{args}", () => parameters);
    });
  }

  /** Queries call macros of these names, which show nothing of the server or check their arguments first. */
  const REPLACED = new Set(["current_catalog", "current_database", "damerau_levenshtein"]);

  const REJECTED = /"code":"(?:sql_not_allowed|sql_malformed|table_unknown)"/;

  test("that is not allowed is rejected at every place", async () => {
    const refused = (await functions()).filter(({ name, isAllowed }) => !isAllowed && !REPLACED.has(name));
    const calls = refused.flatMap((one, at) => callsOf(one, at, 4));
    expect(calls.length).toBeGreaterThan(4000);
    const outcomes = await attack(calls.map((sql) => ({ body: { sql } })));
    expect(summary(outcomes.filter(({ body }) => !REJECTED.test(body)))).toEqual([]);
    await expectWhole();
  });

  test("that is allowed reads and changes nothing", async () => {
    const allowed = (await functions()).filter(({ name, isAllowed }) => isAllowed || REPLACED.has(name));
    const calls = allowed.flatMap((one, at) => callsOf(one, at, 20));
    expect(calls.length).toBeGreaterThan(2500);
    const outcomes = await attack(calls.map((sql) => ({ body: { sql, timeout_ms: 5000 } })));
    expect(summary(outcomes.filter(({ status }) => status >= 500))).toEqual([]);
    await expectWhole();
  });
});

test("SQL that takes memory or time without end ends at its limits", async () => {
  const outcomes = await attack(
    GREEDY.map((sql) => ({ body: { sql, timeout_ms: 3000, max_bytes: 1_000_000 } })),
  );
  const odd = outcomes.filter(({ status }) => ![200, 400, 408, 413, 504, 507].includes(status));
  expect(summary(odd)).toEqual([]);
  expect(outcomes.filter(({ status }) => status === 504 || status === 507).length).toBeGreaterThan(3);
  await expectWhole();
});

test("two hundred analytics queries have the values of DuckDB, while another client is hostile", async () => {
  await using database = await openDatabase();
  await using connection = await database.connect();
  for (const [name, sql] of Object.entries(SHOP)) await connection.run(`CREATE TABLE ${name} AS ${sql}`);
  const queries = analyticsQueries();
  expect(new Set(queries).size).toBe(200);
  const controller = new AbortController();
  const hostile = (async () => {
    while (!controller.signal.aborted)
      await Promise.all(
        GREEDY.slice(0, 2).map(async (sql) =>
          (await server.query(shop.tokens.mallory, { sql, timeout_ms: 1000, max_bytes: 1000 })).arrayBuffer(),
        ),
      );
  })();
  const wrong: string[] = [];
  for (const sql of queries) {
    const texts = `SELECT COLUMNS(*)::VARCHAR FROM (${sql})`;
    const expected = (await connection.rows(texts)).map((row) => Object.values(row));
    const response = await server.query(shop.tokens.ann, { sql: texts });
    const { rows } = (await response.json()) as { readonly rows?: unknown };
    if (!isDeepStrictEqual(rows, expected) || expected.length === 0) wrong.push(`${response.status} ${sql}`);
  }
  controller.abort();
  await hostile;
  expect(wrong).toEqual([]);
  await expectWhole();
});
