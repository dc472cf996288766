import { describe, expect, test } from "bun:test";

import files from "../../../plugins/files/plugin.ts";
import { ledgerPlugin, newLedger, SECRET, type Ledger } from "../../write-back/ledger.ts";
import { served, type Served } from "../harness.ts";

const PATH = "/api/admin/push";
const SQL = "SELECT id::BIGINT AS id, name, 1.5::DECIMAL(12,2) AS score FROM customers";
const TO_SCORES = { table: "scores", source: "book", sql: SQL, mode: "upsert" };
/** Runs for minutes and returns nothing. */
const ENDLESS =
  "SELECT r.range AS id, 'x' AS name, 1.5::DECIMAL(12,2) AS score FROM range(90000000000) AS r WHERE r.range < 0";

/** A server whose source `book` accepts rows, with a token of an administrator. */
async function withServer(
  work: (own: { readonly server: Served; readonly ledger: Ledger; readonly admin: string }) => Promise<void>,
  settings: Parameters<typeof served>[0] = {},
): Promise<void> {
  const ledger = newLedger();
  await using server = await served({
    plugins: [files, ledgerPlugin(ledger, true), ledgerPlugin(ledger, false)],
    sources: {
      book: { plugin: "ledger", register: "listed" },
      paper: { plugin: "reader", register: "listed" },
    },
    host: { env: { LEDGER_TOKEN: SECRET } },
    ...settings,
  });
  await work({ server, ledger, admin: await server.token() });
}

async function push(server: Served, token: string, json: object, headers: Record<string, string> = {}) {
  const response = await server.request(PATH, { token, json, headers });
  const body = (await response.json()) as Record<string, unknown> & { error?: Record<string, unknown> };
  return { status: response.status, body, id: response.headers.get("x-agnes-query-id") };
}

describe("POST /api/admin/push", () => {
  test("writes the rows of a query with parameters, and returns the counts", async () => {
    await withServer(async ({ server, ledger, admin }) => {
      const sql = `${SQL} WHERE name = $name`;
      const { status, body } = await push(server, admin, { ...TO_SCORES, sql, params: { name: "Bo" } });
      expect([status, body]).toEqual([
        200,
        {
          source: "book",
          table: "scores",
          mode: "upsert",
          columns: ["id", "name", "score"],
          rows: 1,
          dry_run: false,
        },
      ]);
      expect(ledger.rows).toMatchObject([{ id: 2n, name: "Bo" }]);
      expect(ledger.writes).toEqual(["upsert"]);
    });
  });

  test("is counted by the metrics of queries, by outcome", async () => {
    await withServer(async ({ server, admin }) => {
      await push(server, admin, TO_SCORES);
      await push(server, admin, { ...TO_SCORES, sql: "SELECT nothing FROM customers" });
      const text = await (await server.request("/metrics", { token: admin })).text();
      expect(text.split("\n").filter((line) => /^agnes_queries_(?:total|running)/.test(line))).toEqual([
        'agnes_queries_total{outcome="ok"} 1',
        'agnes_queries_total{outcome="rejected"} 1',
        "agnes_queries_running 0",
      ]);
    });
  });

  test("runs the query and all checks in a dry run, and writes nothing", async () => {
    await withServer(async ({ server, ledger, admin }) => {
      const dry = await push(server, admin, { ...TO_SCORES, mode: "replace", dry_run: true });
      expect(dry).toMatchObject({ status: 200, body: { rows: 2, mode: "replace", dry_run: true } });
      const sql = `${SQL} UNION ALL ${SQL}`;
      const twice = await push(server, admin, { ...TO_SCORES, sql, dry_run: true });
      expect(twice).toMatchObject({ status: 400, body: { error: { code: "write_refused" } } });
      expect(ledger.writes).toEqual([]);
    });
  });

  test("needs the role admin, a mode and known fields", async () => {
    await withServer(async ({ server, ledger, admin }) => {
      const analyst = await server.token({ name: "ann", role: "analyst" });
      expect(await push(server, analyst, TO_SCORES)).toMatchObject({
        status: 403,
        body: { error: { code: "role_missing" } },
      });
      expect((await server.request(PATH, { json: TO_SCORES })).status).toBe(401);
      const { mode: _, ...unnamed } = TO_SCORES;
      for (const json of [unnamed, { ...TO_SCORES, mode: "merge" }, { ...TO_SCORES, dryRun: true }])
        expect(await push(server, admin, json)).toMatchObject({
          status: 400,
          body: { error: { code: "request_invalid" } },
        });
      expect(ledger.writes).toEqual([]);
    });
  });

  test("returns the errors of a push with their statuses", async () => {
    await withServer(async ({ server, ledger, admin }) => {
      const errors: readonly (readonly [object, number, string])[] = [
        [{ source: "paper" }, 400, "capability_missing"],
        [{ source: "books" }, 404, "source_unknown"],
        [{ source: undefined }, 404, "table_not_registered"],
        [{ sql: "SELECT 1::BIGINT AS id" }, 400, "write_refused"],
        [{ sql: "SELECT * FROM nothing" }, 404, "table_unknown"],
        [{ sql: "SELECT * FROM read_csv('/etc/passwd')" }, 400, "sql_not_allowed"],
      ];
      for (const [change, status, code] of errors)
        expect(await push(server, admin, { ...TO_SCORES, ...change })).toMatchObject({
          status,
          body: { error: { code } },
        });
      expect(ledger.rows).toEqual([]);
      ledger.accepted = 7;
      expect(await push(server, admin, TO_SCORES)).toMatchObject({
        status: 500,
        body: { error: { code: "rows_lost" } },
      });
    });
  });

  test("runs a query within the limit of the server, in the log and with an id", async () => {
    await withServer(
      async ({ server, admin }) => {
        expect(await push(server, admin, { ...TO_SCORES, timeout_ms: 5001 })).toMatchObject({
          status: 400,
          body: { error: { message: expect.stringContaining("timeout_ms") as string } },
        });
        const id = "push-of-scores";
        const done = await push(server, admin, TO_SCORES, { "X-Agnes-Query-Id": id });
        expect([done.status, done.id]).toEqual([200, id]);
        const state = await server.request(`/api/queries/${id}`, { token: admin });
        expect(await state.json()).toMatchObject({ state: "done", error: null });
        await push(server, admin, { ...TO_SCORES, sql: "SELECT 1::BIGINT AS id" });
        const log = await (await server.request("/api/admin/queries", { token: admin })).json();
        expect(log).toMatchObject({
          queries: [
            { outcome: "failed", error_code: "write_refused" },
            { query_id: id, outcome: "done", rows: 2 },
          ],
        });
      },
      { settings: { queryTimeoutMs: 5000 } },
    );
  });

  test("stops after the timeout and writes nothing", async () => {
    await withServer(async ({ server, ledger, admin }) => {
      const { status, body } = await push(server, admin, { ...TO_SCORES, sql: ENDLESS, timeout_ms: 200 });
      expect([status, body.error?.["code"]]).toEqual([504, "timed_out"]);
      expect(ledger.rows).toEqual([]);
    });
  });

  test("is cancelled by its id, and writes nothing", async () => {
    await withServer(async ({ server, ledger, admin }) => {
      const id = "endless-push";
      const pushed = push(server, admin, { ...TO_SCORES, sql: ENDLESS }, { "X-Agnes-Query-Id": id });
      const cancel = () => server.request(`/api/queries/${id}`, { method: "DELETE", token: admin });
      while ((await cancel()).status !== 204) await Bun.sleep(10);
      expect(await pushed).toMatchObject({ status: 499, body: { error: { code: "aborted" } } });
      expect(ledger.rows).toEqual([]);
    });
  });

  test("is stopped when the client closes the connection, and writes nothing", async () => {
    await withServer(async ({ server, ledger, admin }) => {
      const client = new AbortController();
      const json = { ...TO_SCORES, sql: ENDLESS };
      const pushed = server.request(PATH, { token: admin, json, signal: client.signal });
      const log = async () => {
        const response = await server.request("/api/admin/queries", { token: admin });
        return ((await response.json()) as { queries: { outcome: string }[] }).queries[0]?.outcome;
      };
      while ((await log()) !== "running") await Bun.sleep(10);
      client.abort();
      expect((await pushed).status).toBe(499);
      expect(await log()).toBe("cancelled");
      expect(ledger.rows).toEqual([]);
    });
  });

  test("reads only the tables that the caller may access", async () => {
    await withServer(
      async ({ server, ledger, admin }) => {
        expect(await push(server, admin, TO_SCORES)).toMatchObject({
          status: 404,
          body: { error: { code: "table_unknown" } },
        });
        expect(ledger.rows).toEqual([]);
      },
      { server: { authorize: (_principal, { id }) => id === "shop.orders" } },
    );
  });
});
