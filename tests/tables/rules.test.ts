import { describe, expect, test } from "bun:test";

import { memoryStorage, openCatalog } from "../../lib/catalog/mod.ts";
import type { Capability } from "../../lib/kit/mod.ts";
import {
  checkSourceRules,
  openTableRegistry,
  tableDefaults,
  type TableChange,
  toStoredFields,
} from "../../lib/tables/mod.ts";
import { discovered, errorOf, memoryRegistry, stillHost } from "./registry-setup.ts";

const good = { source: "crm", sourceTable: "in.c-crm.orders", primaryKey: ["id"] };

describe("TableRegistry.register()", () => {
  const allowed: readonly (readonly [string, object])[] = [
    ["materialized without a query", { queryMode: "materialized" }],
    [
      "materialized with a query and no table of the source",
      { sourceTable: null, name: "x", queryMode: "materialized", sourceQuery: "select 1" },
    ],
    ["materialized with a key that only grows", { queryMode: "materialized", syncStrategy: "incremental" }],
    ["remote", { queryMode: "remote" }],
    ["filters with a full refresh", { whereFilters: [{ column: "a", values: [1] }] }],
    [
      "partitioned by a column that is read",
      { syncStrategy: "partitioned", partitionBy: "d", columns: ["id", "d"] },
    ],
    ["the dataset alone, of a project", { sourceTable: "project.sales.orders", bucket: "sales" }],
    ["the project too, of a dataset", { sourceTable: "sales.orders", bucket: "project.sales" }],
    [
      "names of the greatest length",
      { sourceTable: "t".repeat(128), name: "n".repeat(64), description: "d".repeat(20_000) },
    ],
  ];
  test.each(allowed)("takes %s", async (_title, change) => {
    await using registry = await memoryRegistry();
    const { table } = await registry.register({ ...good, ...change } as TableChange);
    expect(table).toMatchObject(change);
  });

  const refused: readonly (readonly [string, object, RegExp])[] = [
    [
      "a cursor that is not read",
      { columns: ["id"], incrementalColumn: "at" },
      /columns and incremental_column/,
    ],
    [
      "invalid values that are both rejected and null",
      { quarantine: true, invalidValues: "set_null" },
      /quarantine and invalid_values/,
    ],
    [
      "another rule for invalid values",
      { invalidValues: "skip" },
      /invalid_values should be one of fail, set_null, but is "skip"/,
    ],
    [
      "2001 columns",
      { columns: Array.from({ length: 2001 }, (_, index) => `c${index}`) },
      /at most 2000 columns/,
    ],
    ["no column at all", { columns: [] }, /names no column/],
    ["more days than a century", { maxHistoryDays: 36_501 }, /at most 36500/],
    ["a text that is too long", { description: "d".repeat(20_001) }, /at most 20000 characters/],
    [
      "a number without end",
      { whereFilters: [{ column: "a", values: [Infinity] }] },
      /where_filters\[0\]\.values\[0\] should be a finite number/,
    ],
    ["a folder of 256 characters", { folder: "f".repeat(256) }, /at most 255 characters/],
    [
      "1001 values",
      { whereFilters: [{ column: "a", values: Array.from({ length: 1001 }, (_, index) => index) }] },
      /at most 1000 values/,
    ],
    [
      "51 conditions",
      { whereFilters: Array.from({ length: 51 }, () => ({ column: "a", values: [1] })) },
      /at most 50 conditions/,
    ],
    [
      "101 foreign keys",
      { foreignKeys: Array.from({ length: 101 }, () => ({ column: "a", references: "b" })) },
      /at most 100 keys/,
    ],
    [
      "51 tables it goes with",
      { documentation: { pairsWellWith: Array.from({ length: 51 }, (_, index) => `t${index}`) } },
      /pairs_well_with should have at most 50/,
    ],
    ["a query of nothing", { queryMode: "materialized", sourceQuery: " \n" }, /source_query is empty/],
  ];
  test.each(refused)("refuses %s", async (_title, change, message) => {
    await using registry = await memoryRegistry();
    const error = await errorOf(() => registry.register({ ...good, ...change } as TableChange));
    expect(error.message).toMatch(message);
    expect(error.message.length).toBeLessThan(300);
    expect(error.code).toStartWith("table_");
  });
});

describe("checkSourceRules()", () => {
  const cases: readonly (readonly [readonly Capability[], TableChange, RegExp | null])[] = [
    [["discover", "read"], {}, null],
    [["stream"], {}, null],
    [["query"], {}, /p cannot be read from/],
    [["discover", "metadata"], { queryMode: "remote" }, /p cannot be queried/],
    [["remote"], { queryMode: "remote" }, null],
    [["query"], { queryMode: "remote" }, null],
    [["read"], { queryMode: "remote" }, null],
    [["read"], { queryMode: "materialized", sourceQuery: "select 1" }, /p does not run queries/],
    [["read"], { queryMode: "materialized", sourceQuery: "[1]" }, /p does not run queries/],
    [["read"], { queryMode: "materialized", sourceQuery: '{"limit": 5}' }, /p does not run queries/],
    [["query"], { queryMode: "materialized", sourceQuery: "select 1" }, null],
    [["read"], { queryMode: "materialized" }, null],
  ];
  test.each(cases)("of a source that can %j, with %j: %p", async (capabilities, change, message) => {
    const checkTable = (settings: Parameters<typeof checkSourceRules>[0], id: string) =>
      checkSourceRules(settings, id, { plugin: "p", capabilities });
    const open = () => openTableRegistry({ storage: memoryStorage(), host: stillHost(), checkTable });
    await using registry = await open();
    await using importing = await open();
    const document = { path: "r.json", folder_mapping: {}, tables: [toStoredFields({ ...good, ...change })] };
    if (message === null) {
      await registry.register({ ...good, ...change });
      await importing.import(document);
      return;
    }
    const error = await errorOf(() => registry.register({ ...good, ...change }));
    expect([error.code, error.message]).toEqual([
      "table_contradiction",
      expect.stringMatching(message),
    ] as never);
    const refused = await errorOf(() => importing.import(document));
    expect([refused.code, refused.message]).toEqual([
      "table_import_refused",
      expect.stringMatching(message),
    ] as never);
  });
});

describe("TableRegistry.registerDiscovered()", () => {
  test.each([
    ["incrementalColumn", { incrementalColumn: "gone" }],
    ["whereFilters", { whereFilters: [{ column: "gone", values: [1] }] }],
    ["columns", { columns: ["id", "gone"] }],
    ["primaryKey", { primaryKey: ["gone"] }],
  ] as const)("reports that the source no longer has the column of %s", async (field, change) => {
    await using registry = await memoryRegistry();
    await registry.register({ ...good, ...change } as unknown as TableChange);
    const { candidates } = await registry.registerDiscovered("crm", [discovered("in.c-crm.orders")]);
    expect(candidates).toMatchObject([
      { kind: "drifted", drift: [{ field, reason: "the source has no column gone" }] },
    ]);
  });

  test("takes a key in another order for the same key", async () => {
    await using registry = await memoryRegistry();
    await registry.register({ ...good, primaryKey: ["id", "email"] });
    const info = discovered("in.c-crm.orders", { primaryKey: ["email", "id"] });
    expect((await registry.registerDiscovered("crm", [info])).candidates).toMatchObject([
      { kind: "existing" },
    ]);
  });
});

test("TableRegistry.get() returns defaults for fields missing from older versions", async () => {
  const storage = memoryStorage();
  const schema = { rowKey: ["kind", "key"], indexKeys: ["source", "bucket", "query_mode", "view_key"] };
  await using catalog = await openCatalog<object>({ ...schema, name: "tables", storage, host: stillHost() });
  const [source, name, at] = ["crm", "orders", "2020-01-01T00:00:00.000Z"];
  await catalog.insert({
    kind: "table",
    key: "crm.orders",
    view_key: "orders",
    bucket: null,
    query_mode: "local",
    source,
    name,
    view_name: name,
    source_table: name,
    registered_by: "ann",
    registered_at: at,
  });
  await using registry = await memoryRegistry(storage);
  expect(await registry.get("crm.orders")).toEqual({
    ...(tableDefaults as unknown as NonNullable<Awaited<ReturnType<typeof registry.get>>>),
    id: "crm.orders",
    source,
    name,
    viewName: name,
    sourceTable: name,
    registeredBy: "ann",
    registeredAt: at,
    version: 1,
  });
});
