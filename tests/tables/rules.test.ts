import { describe, expect, test } from "bun:test";

import { memoryStorage, openCatalog } from "../../lib/catalog/mod.ts";
import type { Capability } from "../../lib/kit/mod.ts";
import {
  checkSourceRules,
  openTableRegistry,
  tableDefaults,
  type TableChange,
} from "../../lib/tables/mod.ts";
import { discovered, errorOf, memoryRegistry, stillHost } from "./registry-setup.ts";

const good = { source: "crm", source_table: "in.c-crm.orders", primary_key: ["id"] };

describe("TableRegistry.register()", () => {
  const allowed: readonly (readonly [string, object])[] = [
    ["materialized without a query", { query_mode: "materialized" }],
    [
      "materialized with a query and no table of the source",
      { source_table: null, name: "x", query_mode: "materialized", source_query: "select 1" },
    ],
    ["materialized with a key that only grows", { query_mode: "materialized", sync_strategy: "incremental" }],
    ["remote", { query_mode: "remote" }],
    ["filters with a full refresh", { where_filters: [{ column: "a", values: [1] }] }],
    [
      "partitioned by a column that is read",
      { sync_strategy: "partitioned", partition_by: "d", columns: ["id", "d"] },
    ],
    ["the dataset alone, of a project", { source_table: "project.sales.orders", bucket: "sales" }],
    ["the project too, of a dataset", { source_table: "sales.orders", bucket: "project.sales" }],
    [
      "names of the greatest length",
      { source_table: "t".repeat(128), name: "n".repeat(64), description: "d".repeat(20_000) },
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
      { columns: ["id"], incremental_column: "at" },
      /columns and incremental_column/,
    ],
    [
      "2001 columns",
      { columns: Array.from({ length: 2001 }, (_, index) => `c${index}`) },
      /at most 2000 columns/,
    ],
    ["no column at all", { columns: [] }, /names no column/],
    ["more days than a century", { max_history_days: 36_501 }, /at most 36500/],
    ["a text that is too long", { description: "d".repeat(20_001) }, /at most 20000 characters/],
    [
      "a number without end",
      { where_filters: [{ column: "a", values: [Infinity] }] },
      /where_filters\[0\]\.values\[0\] should be a finite number/,
    ],
    ["a folder of 256 characters", { folder: "f".repeat(256) }, /at most 255 characters/],
    [
      "1001 values",
      { where_filters: [{ column: "a", values: Array.from({ length: 1001 }, (_, index) => index) }] },
      /at most 1000 values/,
    ],
    [
      "51 conditions",
      { where_filters: Array.from({ length: 51 }, () => ({ column: "a", values: [1] })) },
      /at most 50 conditions/,
    ],
    [
      "101 foreign keys",
      { foreign_keys: Array.from({ length: 101 }, () => ({ column: "a", references: "b" })) },
      /at most 100 keys/,
    ],
    [
      "51 tables it goes with",
      { documentation: { pairs_well_with: Array.from({ length: 51 }, (_, index) => `t${index}`) } },
      /pairs_well_with should have at most 50/,
    ],
    ["a query of nothing", { query_mode: "materialized", source_query: " \n" }, /source_query is empty/],
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
    [["discover", "metadata"], { query_mode: "remote" }, /p cannot be queried/],
    [["remote"], { query_mode: "remote" }, null],
    [["query"], { query_mode: "remote" }, null],
    [["read"], { query_mode: "remote" }, null],
    [["read"], { query_mode: "materialized", source_query: "select 1" }, /p does not run SQL/],
    [["read"], { query_mode: "materialized", source_query: "[1]" }, /p does not run SQL/],
    [["read"], { query_mode: "materialized", source_query: '{"limit": 5}' }, null],
    [["query"], { query_mode: "materialized", source_query: "select 1" }, null],
    [["read"], { query_mode: "materialized" }, null],
  ];
  test.each(cases)("of a source that can %j, with %j: %p", async (capabilities, change, message) => {
    const checkTable = (settings: Parameters<typeof checkSourceRules>[0], id: string) =>
      checkSourceRules(settings, id, { plugin: "p", capabilities });
    const open = () => openTableRegistry({ storage: memoryStorage(), host: stillHost(), checkTable });
    await using registry = await open();
    await using importing = await open();
    const document = { path: "r.json", folder_mapping: {}, tables: [{ ...good, ...change }] };
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
    ["incremental_column", { incremental_column: "gone" }],
    ["where_filters", { where_filters: [{ column: "gone", values: [1] }] }],
    ["columns", { columns: ["id", "gone"] }],
    ["primary_key", { primary_key: ["gone"] }],
  ] as const)("tells when the source has lost the column of %s", async (field, change) => {
    await using registry = await memoryRegistry();
    await registry.register({ ...good, ...change } as unknown as TableChange);
    const { candidates } = await registry.registerDiscovered("crm", [discovered("in.c-crm.orders")]);
    expect(candidates).toMatchObject([
      { kind: "drifted", drift: [{ field, reason: "the source has no column gone" }] },
    ]);
  });

  test("takes a key in another order for the same key", async () => {
    await using registry = await memoryRegistry();
    await registry.register({ ...good, primary_key: ["id", "email"] });
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
    view_name: name,
    source_table: name,
    registered_by: "ann",
    registered_at: at,
    version: 1,
  });
});
