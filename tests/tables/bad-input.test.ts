import { describe, expect, test } from "bun:test";

import type { ErrorCode } from "../../lib/base/mod.ts";
import { storedName, type TableChange } from "../../lib/tables/mod.ts";
import { errorOf, memoryRegistry } from "./registry-setup.ts";

const good: TableChange = { source: "crm", sourceTable: "in.c-crm.orders", primaryKey: ["id"] };
type Bad = readonly [title: string, change: unknown, code: ErrorCode, message: RegExp, hint?: RegExp];

const hostile = [
  ["a double quote", 'or"ders'],
  ["a single quote", "or'ders"],
  ["a newline at the end", "orders\n"],
  ["a newline inside", "or\nders"],
  ["a path upwards", "../orders"],
  ["NUL", "orders\u0000"],
  ["ten thousand characters", "o".repeat(10_000)],
  ["a right-to-left mark", "\u202eorders"],
  ["a semicolon", "orders; drop table x"],
  ["nothing", ""],
  ["a space at its end", "orders "],
  ["a lone surrogate", "or\ud800ders"],
  ["a letter that only looks like one", "оrders"],
] as const;

const bad: readonly Bad[] = [
  ["an unknown field", { ...good, descripton: "x" }, "table_field_unknown", /descripton/, /"description"/],
  ["a field by another system's name", { ...good, schema: "x" }, "table_field_unknown", /schema/, /"bucket"/],
  [
    "the last part of a field's name",
    { ...good, mode: "local" },
    "table_field_unknown",
    /mode/,
    /"queryMode"/,
  ],
  ["a field every object inherits", { ...good, constructor: 1 }, "table_field_unknown", /constructor/],
  [
    "a field called __proto__",
    JSON.parse('{"source":"crm","__proto__":{"name":"x"}}'),
    "table_field_unknown",
    /__proto__/,
  ],
  [
    "an unknown field inside",
    { ...good, whereFilters: [{ colum: "a", column: "b", values: [1] }] },
    "table_field_unknown",
    /where_filters\[0\]\.colum/,
    /"column"/,
  ],
  [
    "an unknown field of the documentation",
    { ...good, documentation: { gran: "x" } },
    "table_field_unknown",
    /documentation\.gran/,
    /"grain"/,
  ],
  ["a list instead of fields", [good], "table_field_invalid", /should be an object of fields, but is a list/],
  ["text instead of fields", "crm", "table_field_invalid", /but is a string/],
  ["nothing instead of fields", null, "table_field_invalid", /but is null/],
  [
    "a number for text",
    { ...good, description: 42 },
    "table_field_invalid",
    /description should be text, but is a number/,
  ],
  [
    "text for a list",
    { ...good, primaryKey: "id" },
    "table_field_invalid",
    /primary_key should be a list, but is a string/,
  ],
  [
    "text for a truth value",
    { ...good, quarantine: "yes" },
    "table_field_invalid",
    /quarantine should be true or false/,
  ],
  [
    "a column twice",
    { ...good, primaryKey: ["id", "id"] },
    "table_field_invalid",
    /primary_key names a column twice/,
  ],
  [
    "a hostile column",
    { ...good, primaryKey: ["i\u202ed"] },
    "table_field_invalid",
    /primary_key\[0\] should be a column name.*\\u202e/,
  ],
  ["a column of NUL", { ...good, incrementalColumn: "\u0000" }, "table_field_invalid", /incremental_column/],
  ["more than all rows", { ...good, quarantineMaxPercent: 100.5 }, "table_field_invalid", /at most 100/],
  ["a census without every", { ...good, fullKeys: "7d" }, "table_field_invalid", /full_keys .*`every 7d`/],
  ["a census each minute", { ...good, fullKeys: "every 5m" }, "table_field_invalid", /hours or days/],
  ["a census after a year", { ...good, fullKeys: "every 367d" }, "table_field_invalid", /at most a year/],
  ["half a day", { ...good, incrementalWindowDays: 0.5 }, "table_field_invalid", /whole number/],
  ["no days", { ...good, maxHistoryDays: 0 }, "table_field_invalid", /at least 1/],
  [
    "an unknown mode",
    { ...good, queryMode: "remot" },
    "table_field_invalid",
    /local, remote, materialized, but is "remot"/,
    /"remote"/,
  ],
  [
    "an unknown strategy",
    { ...good, syncStrategy: "incrementl" },
    "table_field_invalid",
    /but is "incrementl"/,
    /"incremental"/,
  ],
  ["a strategy of another type", { ...good, syncStrategy: 3 }, "table_field_invalid", /but is a number/],
  [
    "an unknown granularity",
    { ...good, partitionGranularity: "week" },
    "table_field_invalid",
    /day, month, year/,
  ],
  [
    "an unknown operator",
    { ...good, whereFilters: [{ column: "a", operator: "like", values: ["x"] }] },
    "table_field_invalid",
    /eq, ne, gt, ge, lt, le/,
  ],
  [
    "a filter without values",
    { ...good, whereFilters: [{ column: "a", values: [] }] },
    "table_field_invalid",
    /at least one value/,
  ],
  [
    "a filter without a column",
    { ...good, whereFilters: [{ values: [1] }] },
    "table_field_missing",
    /where_filters\[0\]\.column/,
  ],
  [
    "a filter as text",
    { ...good, whereFilters: ["1=1 --"] },
    "table_field_invalid",
    /where_filters\[0\] should be an object of fields/,
  ],
  [
    "an unknown placeholder",
    { ...good, whereFilters: [{ column: "a", values: ["{{yesterday}}"] }] },
    "table_field_invalid",
    /\{\{last_week\}\}/,
  ],
  [
    "a schedule that does not parse",
    { ...good, syncSchedule: "sometimes" },
    "schedule_invalid",
    /"sometimes"/,
  ],
  [
    "nine platforms",
    { ...good, documentation: { platforms: Array.from("123456789") } },
    "table_field_invalid",
    /platforms should have at most 8/,
  ],
  [
    "nine gotchas",
    { ...good, documentation: { gotchas: Array.from({ length: 9 }, () => ({ key: "k", body: "b" })) } },
    "table_field_invalid",
    /gotchas should have at most 8/,
  ],
  [
    "a gotcha without a body",
    { ...good, documentation: { gotchas: [{ key: "k" }] } },
    "table_field_missing",
    /gotchas\[0\]\.body/,
  ],
  [
    "a folder upwards",
    { ...good, folder: "../x" },
    "table_field_invalid",
    /folder should be a relative path/,
  ],
  ["an absolute folder", { ...good, folder: "/etc" }, "table_field_invalid", /folder/],
  [
    "a field that no code reads",
    { ...good, bq_fqn: "p.d.orders" },
    "table_field_unknown",
    /there is no field "bq_fqn"/,
  ],
  [
    "a control character in text",
    { ...good, description: "a\u001b[31m" },
    "table_field_invalid",
    /without control characters/,
  ],
  ["no source", { sourceTable: "orders" }, "table_field_missing", /source is missing/],
  ["no table", { source: "crm" }, "table_field_missing", /name is missing/],
  [
    "a remote table that cannot be downloaded anyway",
    { ...good, queryMode: "remote", serverOnly: true },
    "table_contradiction",
    /query_mode.*server_only/,
  ],
  [
    "a name and nothing to read",
    { source: "crm", name: "orders" },
    "table_contradiction",
    /source_table and source_query/,
  ],
  [
    "a view of Agnes's own",
    { ...good, viewName: "_meta" },
    "table_field_invalid",
    /view_name should be letters/,
  ],
  [
    "a query for a local table",
    { ...good, sourceQuery: "select 1" },
    "table_contradiction",
    /query_mode and source_query/,
  ],
  [
    "partitioned by nothing",
    { ...good, syncStrategy: "partitioned" },
    "table_contradiction",
    /sync_strategy and partition_by/,
  ],
  [
    "remote and partitioned",
    { ...good, queryMode: "remote", syncStrategy: "partitioned", partitionBy: "d" },
    "table_contradiction",
    /query_mode and sync_strategy/,
  ],
  [
    "remote and filtered",
    { ...good, queryMode: "remote", whereFilters: [{ column: "a", values: [1] }] },
    "table_contradiction",
    /query_mode and where_filters/,
  ],
  [
    "incremental and filtered",
    { ...good, syncStrategy: "incremental", whereFilters: [{ column: "a", values: [1] }] },
    "table_contradiction",
    /sync_strategy and where_filters/,
  ],
  [
    "partitioned and filtered",
    {
      ...good,
      syncStrategy: "partitioned",
      partitionBy: "d",
      whereFilters: [{ column: "a", values: [1] }],
    },
    "table_contradiction",
    /sync_strategy and where_filters/,
  ],
  [
    "a full refresh with a census",
    { ...good, fullKeys: "every 7d" },
    "table_contradiction",
    /sync_strategy and full_keys/,
  ],
  [
    "a key that is not read",
    { ...good, columns: ["email"] },
    "table_contradiction",
    /columns and primary_key/,
  ],
  [
    "a bucket that is not the table's",
    { ...good, bucket: "in.c-erp" },
    "table_contradiction",
    /bucket and source_table/,
  ],
];

describe("TableRegistry.register()", () => {
  for (const [title, change, code, message, hint] of bad)
    test(`refuses ${title}`, async () => {
      await using registry = await memoryRegistry();
      const error = await errorOf(() => registry.register(change as TableChange));
      expect({ code: error.code, message: error.message }).toEqual({
        code,
        message: expect.stringMatching(message) as unknown as string,
      });
      if (hint !== undefined) expect(error.hint).toMatch(hint);
      expect(error.exitCode).toBe(2);
      expect(error.status).toBe(400);
      expect(await registry.version()).toBe(0);
    });

  for (const field of ["source", "name", "viewName", "sourceTable", "bucket"] as const) {
    test.each(hostile)(`refuses as ${field} %s`, async (_title, value) => {
      await using registry = await memoryRegistry();
      const error = await errorOf(() => registry.register({ ...good, [field]: value }));
      expect(error.code).toBe("table_field_invalid");
      expect(error.message).toContain(`${storedName(field)} should be letters`);
      expect(error.message.length).toBeLessThan(400);
      expect(error.message).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u);
    });
  }

  test("does not repeat the value of a field with arbitrary content", async () => {
    await using registry = await memoryRegistry();
    for (const change of [
      { ...good, token: "s3cret" },
      { ...good, description: ["s3cret"] },
      { ...good, quarantine: "s3cret" },
    ]) {
      const error = await errorOf(() => registry.register(change as unknown as TableChange));
      expect(JSON.stringify(error)).not.toContain("s3cret");
    }
  });
});

describe("TableRegistry.update()", () => {
  test("refuses a change that contradicts registered fields, and keeps them", async () => {
    await using registry = await memoryRegistry();
    await registry.register({ ...good, syncStrategy: "partitioned", partitionBy: "created_at" });
    const cases: readonly (readonly [TableChange, RegExp])[] = [
      [{ partitionBy: null }, /sync_strategy and partition_by/],
      [{ queryMode: "remote" }, /query_mode and sync_strategy/],
      [{ whereFilters: [{ column: "a", values: ["x"] }] }, /sync_strategy and where_filters/],
      [{ columns: ["id"] }, /columns and partition_by/],
      [{ sourceQuery: "select 1" }, /query_mode and source_query/],
    ];
    for (const [change, message] of cases) {
      const error = await errorOf(() => registry.update("crm.orders", change));
      expect(error.code).toBe("table_contradiction");
      expect(error.message).toMatch(message);
      expect(error.hint).not.toBe("");
    }
    expect(await registry.version()).toBe(1);
  });

  test("refuses to change the identity", async () => {
    await using registry = await memoryRegistry();
    await registry.register(good);
    for (const change of [{ source: "erp" }, { name: "orders2" }, { source: null }, { name: null }]) {
      expect((await errorOf(() => registry.update("crm.orders", change))).code).toBe("table_field_fixed");
    }
    expect((await registry.update("crm.orders", { source: "crm", name: "orders" })).changed).toEqual([]);
  });

  test.each(hostile)("does not write out an id of %s", async (_title, id) => {
    await using registry = await memoryRegistry();
    const { message } = await errorOf(() => registry.update(id, { nonsense: 1 } as TableChange));
    expect(message).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u);
    expect(message.length).toBeLessThan(200);
  });

  test("reports the nearest table for any unknown reference", async () => {
    await using registry = await memoryRegistry();
    await registry.register(good);
    const error = await errorOf(() => registry.update("crm.order", { description: "x" }));
    expect([error.code, error.status]).toEqual(["table_not_registered", 404]);
    expect(error.hint).toContain("crm.orders");
    for (const [, value] of hostile) {
      for (const work of [
        () => registry.update(value, {}),
        () => registry.unregister(value),
        () => registry.find(value),
      ]) {
        expect((await errorOf(work)).code).toBe("table_not_registered");
      }
      expect(await registry.get(value)).toBeNull();
      expect(await registry.list({ text: value === "" ? "\u0000" : value })).toEqual([]);
    }
  });
});

describe("TableRegistry.setFolder()", () => {
  test.each(["constructor", "__proto__", "prototype", "toString"])(
    "checks the folder of a bucket called %s as any other",
    async (bucket) => {
      await using registry = await memoryRegistry();
      expect((await errorOf(() => registry.setFolder(bucket, "../x"))).code).toBe("table_field_invalid");
      await registry.setFolder(bucket, "x");
      expect(Object.entries(await registry.folders())).toEqual([[bucket, "x"]]);
    },
  );

  test.each(hostile)("refuses a bucket of %s", async (_title, bucket) => {
    await using registry = await memoryRegistry();
    expect((await errorOf(() => registry.setFolder(bucket, "x"))).code).toBe("table_field_invalid");
  });

  test.each(["../x", "/x", "x/", "", "a//b", "a/../b", "a\nb", "x".repeat(10_000)])(
    "refuses the folder %j",
    async (folder) => {
      await using registry = await memoryRegistry();
      expect((await errorOf(() => registry.setFolder("b", folder))).code).toBe("table_field_invalid");
      expect(await registry.version()).toBe(0);
    },
  );
});
