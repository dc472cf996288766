import { expect, test } from "bun:test";

import { createAgnes, type Agnes } from "agnes";
import { definePlugin, int64, table, utf8, type ReadOptions } from "agnes/kit";
import * as v from "valibot";

import { AgnesError } from "../../lib/base/mod.ts";
import { planSource } from "../../lib/sync/plan.ts";
import { memoryRegistry } from "../tables/registry-setup.ts";
import { failureOf, temporaryFolder } from "./workspace.ts";

const sourceQuery = v.strictObject({
  since: v.optional(v.pipe(v.string(), v.isoDate("should be a date"))),
});
const orders = table("orders", { id: int64({ nullable: false }), day: utf8() }, { primaryKey: ["id"] });

/** A source of ten orders, one a day from 2026-01-01, whose tables are read by JSON queries. */
interface Source {
  readonly reads: (ReadOptions & { readonly table: string })[];
  now: string;
  schema: typeof sourceQuery;
}

function pluginOf(source: Source, lists: boolean) {
  const connector = {
    async *read({ name }: { readonly name: string }, options: ReadOptions) {
      source.reads.push({ ...options, table: name });
      if (options.state === "read") return { unchanged: true };
      const { since = "" } = v.parse(sourceQuery, options.sourceQuery ?? {});
      const days = Array.from({ length: 10 }, (_, at) => `2026-01-${String(at + 1).padStart(2, "0")}`);
      yield days.flatMap((day, id) => (day >= since ? [{ id, day }] : []));
      return { state: "read" };
    },
  };
  const named = {
    name: "shop",
    version: "1.0.0",
    description: "A shop",
    options: v.strictObject({}),
    secrets: {},
  };
  const { schema } = source;
  return lists
    ? definePlugin({
        ...named,
        capabilities: ["discover", "read"],
        sourceQuery: schema,
        register: "listed",
        connect: () => ({ ...connector, discover: async () => [orders] }),
      })
    : definePlugin({ ...named, capabilities: ["read"], sourceQuery: schema, connect: () => connector });
}

const openShop = (path: string, source: Source, lists = true): Promise<Agnes> =>
  createAgnes({
    workspace: path,
    plugins: [pluginOf(source, lists)],
    config: { version: 1, sources: { shop: { plugin: "shop" } } },
    host: { now: () => new Date(source.now) },
  });

const newSource = (): Source => ({ reads: [], now: "2026-01-13T12:00:00Z", schema: sourceQuery });

async function register(agnes: Agnes, query: object | null, name = "recent"): Promise<void> {
  const tables = await agnes.tables();
  await tables.register({
    source: "shop",
    sourceTable: "orders",
    name,
    queryMode: "materialized",
    sourceQuery: query && JSON.stringify(query),
  });
}

const daysOf = async (agnes: Agnes) =>
  (await agnes.rows<{ day: string }>("SELECT day FROM recent ORDER BY day")).map(({ day }) => day.slice(-2));

test.each([true, false])("sync() reads a table by its JSON query, with discover: %p", async (lists) => {
  using folder = temporaryFolder();
  const source = newSource();
  await using agnes = await openShop(folder.path, source, lists);
  const conditions = [{ column: "day", operator: "lt", values: ["{{today}}"] }];
  await register(agnes, {
    where_filters: conditions,
    columns: ["id", "day"],
    limit: 3,
    since: "{{last_week}}",
  });
  source.now = "2026-01-13T12:00:00Z";
  expect((await agnes.sync()).status).toBe("complete");
  expect(await daysOf(agnes)).toEqual(["06", "07", "08"]);
  expect(source.reads[0]).toMatchObject({
    table: "orders",
    limit: 3,
    filter: [{ column: "day", operator: "lt", values: ["2026-01-13"] }],
    sourceQuery: { since: "2026-01-06" },
  });
  expect(await agnes.catalog()).toMatchObject([{ name: "recent", mode: "materialized" }]);
  // On the same UTC day nothing changed; on the next one it is another query.
  source.now = "2026-01-13T23:59:59Z";
  expect((await agnes.sync()).sources[0]!.stats?.tablesSkipped).toBe(1);
  expect(source.reads[1]!.state).toBe("read");
  source.now = "2026-01-16T00:00:00Z";
  await agnes.sync();
  expect(source.reads[2]).toMatchObject({ sourceQuery: { since: "2026-01-09" } });
  expect(source.reads[2]!.state).toBeUndefined();
  expect(await daysOf(agnes)).toEqual(["09", "10"]);
});

test("sync() reads all rows of a materialized table without a query, which has no fields", async () => {
  using folder = temporaryFolder();
  const source = newSource();
  await using agnes = await openShop(folder.path, source);
  await register(agnes, null);
  expect((await agnes.sync()).status).toBe("complete");
  expect(await daysOf(agnes)).toHaveLength(10);
  const [read] = source.reads;
  expect([read!.limit, read!.sourceQuery, read!.filter]).toEqual([undefined, undefined, undefined]);
});

test("register() rejects SQL and an invalid query of a plugin with JSON queries", async () => {
  using folder = temporaryFolder();
  await using agnes = await openShop(folder.path, newSource());
  const tables = await agnes.tables();
  const table = { source: "shop", sourceTable: "orders", queryMode: "materialized" } as const;
  for (const sourceQuery of ["SELECT * FROM orders", '{"since": "soon"}', '{"sinec": "2026-01-01"}']) {
    const error = await failureOf(tables.register({ ...table, sourceQuery }));
    expect([error.code, error.message]).toEqual([
      "source_query_invalid",
      expect.stringContaining('"where_filters": [{') as unknown as string,
    ]);
  }
});

test("sync() fails only the table whose query its plugin no longer accepts", async () => {
  using folder = temporaryFolder();
  const source = newSource();
  {
    await using agnes = await openShop(folder.path, source);
    await register(agnes, { since: "2026-01-09" });
    await register(agnes, null, "all_orders");
    expect((await agnes.sync()).status).toBe("complete");
  }
  source.schema = v.strictObject({}) as never;
  await using agnes = await openShop(folder.path, source);
  const report = await agnes.sync();
  expect(report.status).toBe("partial");
  expect(report.sources[0]!.stats!.errors).toMatchObject([
    { table: "recent", error: { code: "source_query_invalid" } },
  ]);
  // The published rows stay.
  expect(await daysOf(agnes)).toEqual(["09", "10"]);
});

test("sync() fails a table whose query names a column that the table does not have", async () => {
  using folder = temporaryFolder();
  await using agnes = await openShop(folder.path, newSource());
  await register(agnes, { where_filters: [{ column: "dya", values: ["x"] }] });
  const report = await agnes.sync();
  const [failed] = report.sources[0]!.stats!.errors;
  expect(failed!.error.message).toContain(
    'where_filters[0].column of source_query is "dya", which is not a column of the table',
  );
  expect(failed!.error.message).not.toContain("recent");
  expect(failed!.error.hint).toBe(
    'Did you mean "day"? Correct the query with `agnes table update shop.recent --source-query QUERY`.',
  );
});

test("sync() lists the columns of a table if its query names one that is not similar to any", async () => {
  using folder = temporaryFolder();
  await using agnes = await openShop(folder.path, newSource());
  await register(agnes, { columns: ["id", "customer"] });
  const [failed] = (await agnes.sync()).sources[0]!.stats!.errors;
  expect(failed!.error.message).toBe(
    'columns[1] of source_query is "customer", which is not a column of the table',
  );
  expect(failed!.error.hint).toStartWith("The columns are day, id. Correct the query with");
});

test.each([true, false])(
  "sync() fails a table with a condition whose value does not fit its column, with discover: %p",
  async (lists) => {
    using folder = temporaryFolder();
    const source = newSource();
    await using agnes = await openShop(folder.path, source, lists);
    const conditions = [{ column: "id", operator: "ne" as const, values: [5, "file.csv"] }];
    await register(agnes, { where_filters: conditions });
    const tables = await agnes.tables();
    await tables.register({ source: "shop", sourceTable: "orders", name: "plain", whereFilters: conditions });
    const expected = (name: string, option: string) => ({
      code: "table_plan_invalid" as const,
      message:
        `table "${name}" cannot be extracted as configured: ` +
        '"file.csv" in its condition on column "id" cannot be compared with the type BIGINT',
      hint: `Correct the table, for example with \`agnes table update shop.${name} ${option}\`.`,
    });
    const { errors } = (await agnes.sync()).sources[0]!.stats!;
    expect(errors.map(({ error: { code, message, hint } }) => ({ code, message, hint }))).toEqual([
      expected("plain", "--where CONDITIONS"),
      expected("recent", "--source-query QUERY"),
    ]);
    // If the columns are known, nothing is requested from the source.
    expect(source.reads).toHaveLength(lists ? 0 : 2);
  },
);

test.each([true, false])(
  "sync() fails a table with a condition that compares text with a number, with discover: %p",
  async (lists) => {
    using folder = temporaryFolder();
    await using agnes = await openShop(folder.path, newSource(), lists);
    await register(agnes, { where_filters: [{ column: "day", operator: "ge", values: [2026] }] });
    const [failed] = (await agnes.sync()).sources[0]!.stats!.errors;
    expect(failed!.error.message).toBe(
      'table "recent" cannot be extracted as configured: ' +
        '2026 in its condition on column "day" cannot be compared with the type VARCHAR',
    );
  },
);

test("sync() accepts conditions that DuckDB can compare, and all conditions on a table without rows", async () => {
  using folder = temporaryFolder();
  await using agnes = await openShop(folder.path, newSource(), false);
  const tables = await agnes.tables();
  await tables.register({
    source: "shop",
    sourceTable: "orders",
    whereFilters: [{ column: "id", operator: "ge", values: ["5", 5.5, 9_007_199_254_740_991] }],
  });
  await register(agnes, {
    since: "2027-01-01",
    columns: ["id"],
    where_filters: [{ column: "id", operator: "gt", values: [5] }],
  });
  expect((await agnes.sync()).status).toBe("complete");
});

test("planSource() fails a table with an invalid query or without a table, also one that quarantines bad rows", async () => {
  await using registry = await memoryRegistry();
  const settings = { source: "shop", queryMode: "materialized", quarantine: true } as const;
  await registry.register({ ...settings, sourceTable: "orders", sourceQuery: "SELECT 1" });
  await registry.register({ ...settings, name: "none", sourceQuery: "{}" });
  const problem = new AgnesError("internal", { what: "a bad row" });
  const bad = { ...orders, problem, hasBadRows: true };
  const plugin = { name: "shop", sourceQuery };
  const { tables, vanished } = planSource(await registry.list(), [bad], new Date(), plugin);
  const problems = tables.map(({ name, info }) => [name, info.problem?.code, info.hasBadRows]);
  expect(problems.toSorted((a, b) => (String(a) < String(b) ? -1 : 1))).toEqual([
    ["none", "table_contradiction", false],
    ["orders", "source_query_invalid", false],
  ]);
  expect(vanished).toEqual([]);
});
