import { expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { runCli, temporaryDirectory, type CliResult } from "./run-cli.ts";

const json = ({ stdout }: CliResult): unknown => JSON.parse(stdout) as unknown;

test("agnes table register rejects SQL and invalid queries of a plugin with JSON queries, and takes valid ones", async () => {
  using directory = temporaryDirectory();
  const options = '{ url: "https://connection.keboola.test", allowPrivateAddress: true }';
  await writeFile(
    join(directory.path, "agnes.yaml"),
    `version: 1\nsources:\n  kbc: { plugin: keboola, register: listed, options: ${options} }\n`,
  );
  const agnes = (...args: string[]) => runCli(args, { cwd: directory.path });
  const register = (query: string, ...rest: string[]) =>
    agnes(
      "table",
      "register",
      "kbc",
      "in.c-crm.orders",
      "--mode",
      "materialized",
      "--source-query",
      query,
      ...rest,
    );
  const cases: readonly (readonly [query: string, message: string, hint: string])[] = [
    ["SELECT 1", "source_query is not JSON, and keboola does not run SQL", "--source-query"],
    ['{"limit": 0}', "limit of source_query should be at least 1", "--source-query"],
    ['{"colums": ["id"]}', 'source_query has no field "colums"', 'Did you mean "columns"?'],
    ['{"changed_since": "{{yesterday}}"}', "changed_since of source_query has an unknown placeholder", ""],
  ];
  for (const [query, message, hint] of cases) {
    const result = await register(query);
    expect([query, result.status]).toEqual([query, 2]);
    expect(result.stderr).toContain(message);
    expect(result.stderr).toContain('{"where_filters": [{"column":"status"');
    expect(result.stderr).toContain(hint);
  }
  const twice = await register('{"columns": ["id"]}', "--columns", "id");
  expect([twice.status, twice.stderr]).toEqual([
    2,
    expect.stringContaining("both select columns") as unknown as string,
  ]);
  expect(json(await agnes("table", "list", "--source", "kbc", "--json"))).toMatchObject({ tables: [] });
  const query = '{"changed_since": "{{last_week}}", "limit": 5}';
  const good = await register(query, "--json");
  expect(good.status).toBe(0);
  expect(json(good)).toMatchObject({ table: { query_mode: "materialized", source_query: query } });
  const sql = await agnes("table", "update", "orders", "--source-query", "SELECT 1");
  expect([sql.status, sql.stderr]).toEqual([
    2,
    expect.stringContaining("does not run SQL") as unknown as string,
  ]);
});

const SHOP = `import { definePlugin, int64, table } from "agnes/kit";
import * as v from "valibot";

export default definePlugin({
  name: "shop", version: "1.0.0", description: "A shop", capabilities: ["discover", "read"], secrets: {},
  options: v.strictObject({}), sourceQuery: v.strictObject({}),
  connect: () => ({
    discover: async () => [table("orders", { id: int64() })],
    async *read() { yield [{ id: 1 }, { id: 2 }, { id: 3 }]; },
  }),
});
`;

test("agnes table register warns of a table with a JSON query that the source does not have", async () => {
  using directory = temporaryDirectory();
  await mkdir(join(directory.path, "plugins"));
  await writeFile(join(directory.path, "plugins", "shop.ts"), SHOP);
  await writeFile(join(directory.path, "agnes.yaml"), "version: 1\nsources:\n  shop: { plugin: shop }\n");
  const agnes = (...args: string[]) => runCli(args, { cwd: directory.path });
  const query = ["--mode", "materialized", "--source-query", '{"limit": 2}'];
  const missing = await agnes("table", "register", "shop", "oders", ...query);
  expect([missing.status, missing.stderr]).toEqual([
    0,
    expect.stringContaining('shop has no table "oders"; did you mean "orders"?') as unknown as string,
  ]);
  await agnes("table", "unregister", "oders");
  const conditions = (column: string) => `{"where_filters": [{"column": "${column}", "values": ["abc"]}]}`;
  const warned: readonly (readonly [option: string, value: string, warning: string])[] = [
    ["--source-query", conditions("ids"), 'where_filters[0].column of source_query is "ids"'],
    ["--source-query", conditions("id"), '"abc" in its condition on column "id" cannot be compared with the'],
    [
      "--where",
      '[{"column": "id", "values": ["abc"]}]',
      'column "id" cannot be compared with the type BIGINT',
    ],
  ];
  for (const [option, value, warning] of warned) {
    const mode = option === "--where" ? [] : ["--mode", "materialized"];
    const result = await agnes("table", "register", "shop", "orders", "--dry-run", ...mode, option, value);
    expect([result.status, result.stderr.replaceAll(/\s+/g, " ")]).toEqual([
      0,
      expect.stringMatching(/warning .*agnes table update shop\.orders/) as unknown as string,
    ]);
    expect(result.stderr).toContain(warning);
  }
  expect((await agnes("table", "register", "shop", "orders", ...query)).stderr).not.toContain("warn");
  expect((await agnes("sync")).status).toBe(0);
  const counted = await agnes("query", "SELECT count(*) AS n FROM orders", "--format", "csv");
  expect(counted.stdout).toBe("n\n2\n");
});

test.each([true, false])(
  "agnes connector test tests the JSON queries of registered tables, of a plugin with discover: %p",
  async (lists) => {
    using directory = temporaryDirectory();
    await mkdir(join(directory.path, "plugins"));
    const plugin = SHOP.replace(
      "sourceQuery: v.strictObject({})",
      "sourceQuery: v.strictObject({ from: v.number() })",
    )
      .replace(
        "*read() { yield",
        "*read(info, { sourceQuery }) { if (sourceQuery?.from === 9) throw new Error(info.name); yield",
      )
      .replace(lists ? "" : 'capabilities: ["discover", "read"]', lists ? "" : 'capabilities: ["read"]')
      .replace(lists ? "" : 'discover: async () => [table("orders", { id: int64() })],', "");
    await writeFile(join(directory.path, "plugins", "shop.ts"), plugin);
    await writeFile(join(directory.path, "agnes.yaml"), "version: 1\nsources:\n  shop: { plugin: shop }\n");
    const agnes = (...args: string[]) => runCli(args, { cwd: directory.path });
    for (const [name, from] of [
      ["all", 0],
      ["none", 9],
    ] as const) {
      const query = `{"from": ${from}}`;
      await agnes(
        "table",
        "register",
        "shop",
        "orders",
        "--name",
        name,
        "--mode",
        "materialized",
        "--source-query",
        query,
      );
    }
    const { cases } = json(await agnes("connector", "test", "shop", "--case", "read() ", "--json")) as {
      readonly cases: readonly { readonly name: string; readonly ok: boolean; readonly error?: string }[];
    };
    const failed = cases.filter(({ name, ok }) => !ok && !name.includes("does not exist"));
    expect(failed.map(({ name }) => name)).toEqual([
      "read() with a JSON query yields the same rows again, also with a filter",
    ]);
    expect(failed[0]!.error).toContain("orders");
    expect(cases.length).toBeGreaterThan(5);
  },
);
