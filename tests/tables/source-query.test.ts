import { describe, expect, test } from "bun:test";

import * as v from "valibot";

import { memoryStorage } from "../../lib/catalog/mod.ts";
import {
  checkSourceRules,
  openTableRegistry,
  toStoredFields,
  type TableChange,
} from "../../lib/tables/mod.ts";
import { parseSourceQuery } from "../../lib/tables/record/source-query.ts";
import { errorOf, stillHost } from "./registry-setup.ts";

const schema = v.pipe(
  v.strictObject({
    changed_since: v.optional(
      v.pipe(v.string(), v.isoDate("should be a date"), v.examples(["{{last_week}}"])),
    ),
    kinds: v.optional(v.array(v.strictObject({ name: v.string() }))),
    depth: v.optional(v.number(), 1),
  }),
  v.check(({ depth }) => depth < 10, "is too deep"),
);
const form = { plugin: "crm", schema, now: new Date("2026-11-21T06:00:00Z") };
const parse = (query: unknown) =>
  parseSourceQuery(typeof query === "string" ? query : JSON.stringify(query), "crm.orders", form);

describe("parseSourceQuery()", () => {
  test("returns the common parts, and the fields of the plugin with dates for placeholders", () => {
    const query = {
      where_filters: [{ column: "day", operator: "ge", values: ["{{last_month}}"] }],
      columns: ["id", "day"],
      limit: 10,
      changed_since: "{{ last_week }}",
      kinds: [{ name: "from {{today}}" }],
    };
    expect(parse(query)).toEqual({
      filter: [{ column: "day", operator: "ge", values: ["2026-10-22"] }],
      columns: ["id", "day"],
      limit: 10,
      fields: { changed_since: "2026-11-14", kinds: [{ name: "from 2026-11-21" }] },
    });
    const later = parseSourceQuery(JSON.stringify(query), "crm.orders", {
      ...form,
      now: new Date("2026-12-01T00:00:00Z"),
    });
    expect(later.fields["changed_since"]).toBe("2026-11-24");
  });

  test("treats null as missing, and has no condition, column or limit without those fields", () => {
    expect(parse({})).toEqual({ fields: {} });
    expect(parse({ limit: null, where_filters: null, columns: null, changed_since: null })).toEqual({
      fields: {},
    });
    expect(parse({ where_filters: [{ column: "id", values: [1] }] })).toEqual({
      filter: [{ column: "id", operator: "eq", values: [1] }],
      fields: {},
    });
  });

  const cases: readonly (readonly [query: unknown, problem: string, nearest?: string])[] = [
    ["SELECT * FROM orders", "source_query is not JSON, and crm does not run SQL"],
    ['{"limit": 5', "source_query is not valid JSON"],
    ["{limit: 5}", "source_query is not valid JSON"],
    ["[1]", "source_query should be a JSON object, but is a list"],
    ["5", "source_query should be a JSON object, but is a number"],
    ['{"limit": 5, "limit": 6}', "source_query has a field twice"],
    ['{"where_filters": [{"column": "a", "column": "b", "values": [1]}]}', "source_query has a field twice"],
    ['{"limit": 1e999}', "source_query has a value that JSON does not represent exactly"],
    [
      '{"where_filters": [{"column": "a", "values": [9007199254740993]}]}',
      "source_query has a whole number beyond 9007199254740991, which JSON does not keep exactly",
    ],
    [{ colums: ["id"] }, 'source_query has no field "colums"', "columns"],
    [{ changedSince: "2026-01-01" }, 'source_query has no field "changedSince"', "changed_since"],
    [{ password: null }, 'source_query has no field "password"'],
    [{ limit: 0 }, "limit of source_query should be at least 1"],
    [{ limit: 1.5 }, "limit of source_query should be a whole number of rows"],
    [{ limit: "5" }, "limit of source_query should be a number, but is a string"],
    [{ columns: [] }, "columns of source_query names no column"],
    [{ columns: ["a", "a"] }, "columns of source_query names a column twice"],
    [
      { where_filters: [{ column: "a", operator: ">=", values: [1] }] },
      "where_filters[0].operator of source_query should be one of eq, ne, gt, ge, lt, le",
      "ge",
    ],
    [{ where_filters: [{ column: "a" }] }, "where_filters[0].values of source_query is missing"],
    [
      { where_filters: [{ column: "a", values: [1], colum: "b" }] },
      "where_filters[0].colum of source_query does not exist",
      "column",
    ],
    [
      { where_filters: [{ column: "a", values: ["{{yesterday}}"] }] },
      "where_filters[0].values of source_query has an unknown placeholder; known are {{today}}",
    ],
    [
      { kinds: [{ name: "{{yesterday}}" }] },
      "kinds[0].name of source_query has an unknown placeholder; known are {{today}}",
    ],
    [{ changed_since: "soon" }, "changed_since of source_query should be a date"],
    [{ changed_since: 5 }, "changed_since of source_query should be text, but is a number"],
    [{ kinds: [{ nam: "x", name: "y" }] }, "kinds[0].nam of source_query does not exist"],
    [{ depth: 11 }, "source_query is too deep"],
  ];
  const wrong = cases.map(([query, problem, near = null]) => [query, problem, near] as const);
  test.each(wrong)("rejects %j: %s", async (query, problem, near) => {
    const error = await errorOf(() => parse(query));
    expect([error.code, error.exitCode]).toEqual(["source_query_invalid", 2]);
    expect(error.message).toStartWith(`"crm.orders": ${problem}`);
    // The example is the form, also of the fields of the plugin.
    expect(error.message).toEndWith(
      '; write it as JSON with any of these fields: {"where_filters": [{"column":"status","operator":"eq","values":["open"]}], ' +
        '"columns": ["id","status"], "limit": 1000, "changed_since": "{{last_week}}", "kinds": …, "depth": …}',
    );
    expect(error.hint).toBe(
      near === null ? "Correct the option `--source-query`." : `Did you mean "${near}"?`,
    );
  });

  test("omits values from errors, which may be misplaced secrets", async () => {
    for (const field of ["limit", "changed_since", "kinds", "columns"]) {
      const error = await errorOf(() => parse({ [field]: { token: "s3cret" } }));
      expect(JSON.stringify(error.toJSON()) + error.message).not.toContain("s3cret");
    }
  });
});

describe("checkSourceRules() of a plugin with JSON queries", () => {
  const open = () =>
    openTableRegistry({
      storage: memoryStorage(),
      host: stillHost(),
      checkTable: (settings, id) =>
        checkSourceRules(settings, id, { plugin: "crm", capabilities: ["read"], queryForm: form }),
    });
  const good: TableChange = { source: "crm", sourceTable: "orders", queryMode: "materialized" };
  const query = (value: object) => JSON.stringify(value);
  const conditions = [{ column: "status", values: ["open"] }];

  const allowed: readonly (readonly [string, TableChange])[] = [
    ["no query", {}],
    ["no query, with columns and conditions", { columns: ["id"], whereFilters: conditions }],
    ["a query", { sourceQuery: query({ limit: 5, depth: 2 }) }],
    ["a query beside other columns", { sourceQuery: query({ where_filters: conditions }), columns: ["id"] }],
    ["a query beside conditions", { sourceQuery: query({ columns: ["id"] }), whereFilters: conditions }],
    ["a query with the key", { sourceQuery: query({ columns: ["id", "status"] }), primaryKey: ["id"] }],
    ["another mode", { queryMode: "local", syncStrategy: "incremental" }],
  ];
  test.each(allowed)("allows %s", async (_title, change) => {
    await using registry = await open();
    expect((await registry.register({ ...good, ...change })).table).toMatchObject(change);
  });

  const refused: readonly (readonly [string, TableChange, code: string, RegExp])[] = [
    ["SQL", { sourceQuery: "SELECT 1" }, "source_query_invalid", /is not JSON, and crm does not run SQL/],
    [
      "SQL without a table",
      { sourceTable: null, name: "orders", sourceQuery: "SELECT 1" },
      "source_query_invalid",
      /is not JSON, and crm does not run SQL/,
    ],
    [
      "a query without a table",
      { sourceTable: null, name: "orders", sourceQuery: query({ limit: 5 }) },
      "table_contradiction",
      /source_table and source_query .* source_table does not name one/,
    ],
    [
      "columns twice",
      { columns: ["id"], sourceQuery: query({ columns: ["id"] }) },
      "table_contradiction",
      /columns and source_query .* both select columns/,
    ],
    [
      "conditions twice",
      { whereFilters: conditions, sourceQuery: query({ where_filters: conditions }) },
      "table_contradiction",
      /where_filters and source_query .* both have conditions/,
    ],
    [
      "columns without the key",
      { primaryKey: ["id"], sourceQuery: query({ columns: ["status"] }) },
      "table_contradiction",
      /source_query and primary_key .* column of the key/,
    ],
    [
      "a query with another strategy",
      { syncStrategy: "incremental", sourceQuery: query({ limit: 5 }) },
      "table_contradiction",
      /query_mode and sync_strategy .* read in full/,
    ],
    [
      "no query with another strategy",
      { syncStrategy: "incremental" },
      "table_contradiction",
      /query_mode and sync_strategy .* read in full/,
    ],
    [
      "a query with another mode",
      { queryMode: "local", sourceQuery: query({ limit: 5 }) },
      "table_contradiction",
      /query_mode and source_query/,
    ],
    [
      "a query with the mode remote",
      { queryMode: "remote", sourceQuery: query({ limit: 5 }) },
      "table_contradiction",
      /query_mode and source_query/,
    ],
  ];
  test.each(refused)(
    "rejects %s when a table is registered or imported",
    async (_title, change, code, text) => {
      await using registry = await open();
      const error = await errorOf(() => registry.register({ ...good, ...change }));
      expect([error.code, error.message]).toEqual([code, expect.stringMatching(text) as unknown as string]);
      const document = {
        path: "r.json",
        folder_mapping: {},
        tables: [toStoredFields({ ...good, ...change })],
      };
      const failed = await errorOf(() => registry.import(document));
      expect(failed.message).toMatch(text);
      expect(await registry.list()).toEqual([]);
    },
  );

  test("rejects an update to an invalid query, or to settings that contradict the query", async () => {
    await using registry = await open();
    await registry.register({ ...good, sourceQuery: query({ columns: ["id"] }) });
    const sql = await errorOf(() => registry.update("crm.orders", { sourceQuery: "SELECT 1" }));
    expect(sql.code).toBe("source_query_invalid");
    const columns = await errorOf(() => registry.update("crm.orders", { columns: ["id"] }));
    expect(columns.message).toContain("both select columns");
    await registry.update("crm.orders", { columns: ["id"], sourceQuery: null });
  });
});
