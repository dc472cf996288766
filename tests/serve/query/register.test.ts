import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { definePlugin, int64, table, utf8 } from "agnes/kit";
import * as v from "valibot";

import files from "../../../plugins/files/plugin.ts";
import { served, type Served } from "../harness.ts";

const count = { connections: 0, estimates: 0, queries: 0 };

/** A source that names the tables of `FROM a, b`, and returns its user for any query. */
const warehouse = definePlugin({
  name: "warehouse",
  version: "1.0.0",
  description: "Names the tables of its queries",
  capabilities: ["discover", "read", "query"],
  register: "listed",
  options: v.strictObject({}),
  secrets: {},
  connect() {
    count.connections += 1;
    const info = ["pages", "salaries"].map((name) => table(name, { id: int64(), name: utf8() }));
    return {
      discover: async () => info,
      async *read() {
        yield [{ id: 1, name: "home" }];
      },
      async estimate(sql: string) {
        count.estimates += 1;
        if (sql.includes("broken")) throw new Error("table salaries has a column secret_pin");
        const referencedTables = /FROM (.*)$/.exec(sql)?.[1]?.split(", ") ?? [];
        return { statementType: sql.split(" ")[0]!, referencedTables, schema: info[0]!.schema };
      },
      async query() {
        count.queries += 1;
        const batches = (async function* () {
          yield [{ id: 7, name: "c4nary" }];
        })();
        return { schema: info[0]!.schema, batches };
      },
    };
  },
});

let shop: Served;
const tokens: Record<string, string> = {};
beforeAll(async () => {
  shop = await served({
    plugins: [files, warehouse],
    sources: { wh: { plugin: "warehouse" }, hr: { plugin: "warehouse" } },
  });
  const tables = await shop.agnes.tables();
  await tables.register({ source: "wh", sourceTable: "pages" });
  await tables.register({ source: "hr", sourceTable: "salaries" });
  await shop.agnes.sync();
  const grants = { tables: ["wh.pages", "shop.orders"], sources: [], folders: [] };
  tokens["some"] = await shop.token({ role: "analyst", grants });
  tokens["files"] = await shop.token({
    role: "analyst",
    grants: { tables: [], sources: ["shop"], folders: [] },
  });
  tokens["all"] = await shop.token({ role: "analyst" });
  tokens["admin"] = await shop.token();
});
afterAll(() => shop[Symbol.asyncDispose]());

async function run(token: string, register: object, sql = "SELECT name FROM a") {
  Object.assign(count, { connections: 0, estimates: 0, queries: 0 });
  const response = await shop.request("/api/query", { token: tokens[token]!, json: { sql, register } });
  const body = (await response.json()) as {
    readonly rows?: unknown;
    readonly error?: { readonly code: string; readonly details: Readonly<Record<string, unknown>> };
  };
  return { status: response.status, code: body.error?.code, text: JSON.stringify(body), rows: body.rows };
}

const a = (source: string, sql: string) => ({ a: { source, sql } });

describe("register over HTTP, as an analyst", () => {
  test("a query of granted tables runs", async () => {
    for (const token of ["some", "all", "admin"])
      expect(await run(token, a("wh", "SELECT * FROM pages"))).toMatchObject({ rows: [["c4nary"]] });
  });

  test("a source without a granted table is as unknown as one that does not exist, and is not called", async () => {
    const errors = new Set<string>();
    for (const [token, source] of [
      ["some", "hr"],
      ["some", "nothing"],
      ["some", "WH"],
      ["files", "wh"],
      ["files", "hr"],
      ["files", "h"],
    ] as const) {
      const found = await run(token, a(source, "SELECT * FROM salaries"));
      expect([source, found.status, found.code]).toEqual([source, 403, "alias_access_denied"]);
      errors.add(found.text.replaceAll(new RegExp(`\\b${source}\\b`, "g"), "SOURCE"));
    }
    expect(errors.size).toBe(1);
    expect(count).toEqual({ connections: 0, estimates: 0, queries: 0 });
  });

  test("tables that are not granted or not registered, none at all, and other statements are rejected alike", async () => {
    for (const [token, sqls] of [
      ["some", ["SELECT * FROM salaries", "SELECT * FROM pages, salaries", "SELECT * FROM PAGES"]],
      ["some", ["SELECT SESSION_USER()", "DELETE FROM pages", "SELECT broken FROM pages"]],
      ["all", ["SELECT * FROM salaries", "SELECT * FROM pages, salaries", "SELECT SESSION_USER()"]],
    ] as const)
      for (const sql of sqls) {
        const found = await run(token, a("wh", sql));
        expect([sql, found.status, found.code, count.queries]).toEqual([sql, 403, "alias_access_denied", 0]);
        expect(found.text).not.toMatch(/salaries|pin/);
      }
    // An administrator reads what the source has.
    expect((await run("admin", a("wh", "SELECT * FROM salaries"))).status).toBe(200);
  });

  test("an alias hides no granted view, and its name reveals no other", async () => {
    const hidden = await run(
      "some",
      { customers: a("wh", "SELECT * FROM pages").a },
      "SELECT name FROM customers",
    );
    expect(hidden.rows).toEqual([["c4nary"]]);
    const taken = await run("some", { orders: a("wh", "SELECT * FROM pages").a }, "SELECT id FROM orders");
    expect(taken.code).toBe("alias_refused");
    for (const name of ["duckdb_settings", "information_schema", "shop.customers", 'x"y', "__proto__", ""]) {
      const found = await run(
        "some",
        JSON.parse(
          `{${JSON.stringify(name)}: ${JSON.stringify(a("wh", "SELECT * FROM pages").a)}}`,
        ) as object,
        `SELECT * FROM "${name.replaceAll('"', '""')}"`,
      );
      expect([name, found.status < 500]).toEqual([name, true]);
      expect(found.text).not.toMatch(/Ann|agnes_|salaries/);
    }
  });

  test("keys read granted tables only, and limits cannot be raised", async () => {
    const keyed = { ...a("wh", "SELECT @keys FROM pages").a, keys: "SELECT id FROM customers" };
    const found = await run("some", { a: keyed });
    expect([found.status, found.code]).toEqual([404, "table_unknown"]);
    expect(found.text).not.toContain("shop.customers");
    for (const limits of [
      { max_rows: 500_001 },
      { max_bytes: 2 ** 30 + 1 },
      { timeout_ms: 1e9 },
      { rows: 1 },
    ])
      expect((await run("some", { a: { ...a("wh", "SELECT * FROM pages").a, limits } })).code).toBe(
        "request_invalid",
      );
    const many = Object.fromEntries(Array.from({ length: 21 }, (_, at) => [`a${at}`, a("wh", "SELECT 1").a]));
    expect((await run("some", many)).status).toBe(400);
    expect(count.connections).toBe(0);
  });
});
