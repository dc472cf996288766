import { expect, test } from "bun:test";
import { join } from "node:path";

import { createAgnes } from "agnes";
import { definePlugin, int64, table, utf8 } from "agnes/kit";
import * as v from "valibot";

import { databaseNames, readAnalyticsState, rebuild } from "../../lib/analytics/mod.ts";
import { createHost, silentLog } from "../../lib/base/mod.ts";
import { openDatabase } from "../../lib/duckdb/mod.ts";
import { temporaryFolder } from "../sync/workspace.ts";

/** A DuckDB file is attached like the database of an extension, but no plugin may declare an extension of that name. */
const inexact = { name: "file", extensions: { duckdb: { isExact: false } } };

test("a table of an inexact extension has the described columns and types, and DuckDB evaluates all conditions", async () => {
  using folder = temporaryFolder();
  const url = join(folder.path, "other.duckdb");
  {
    await using database = await openDatabase({ path: url });
    await using connection = await database.connect();
    await connection.run("CREATE TABLE rows AS SELECT 'x' AS _timestamp, 'b' AS name, 7::INTEGER AS id");
  }
  const plugin = definePlugin({
    name: "file",
    version: "1.0.0",
    description: "A source",
    options: v.strictObject({}),
    secrets: {},
    capabilities: ["discover", "remote"],
    connect: () => ({
      discover: async () => [table("rows", { id: int64(), name: utf8() })],
      remote: () => ({ alias: "file", extension: "duckdb", url, tokenEnv: "" }),
    }),
  });
  const config = { version: 1, sources: { file: { plugin: "file" } } } as const;
  await using agnes = await createAgnes({ workspace: folder.path, plugins: [plugin], config });
  const tables = await agnes.tables();
  await tables.register({ source: "file", sourceTable: "rows", queryMode: "remote" });
  expect((await agnes.sync()).status).toBe("complete");
  const { workspace } = agnes;
  const plugins = { ...agnes.plugins, list: () => [{ ...plugin, ...inexact }] } as never;
  const services = { host: createHost(), log: silentLog, limits: {}, plugins, tables, workspace };
  await rebuild({ ...services, publishedStates: () => async () => undefined });
  const result = await agnes.query("FROM rows");
  const rows: unknown[] = [];
  for await (const batch of result.batches) for (const row of batch) rows.push(row.toJSON());
  expect(rows).toEqual([{ id: 7n, name: "b" }]);
  expect(String(result.schema.fields[0]!.type)).toBe("Int64");
  expect(result.receipt().remotes).toEqual([{ id: "file.rows", accessMode: "attach" }]);
  expect(await agnes.rows("SELECT id FROM rows WHERE name = 'b'")).toHaveLength(1);
  const definition = await definitionOf(join(workspace.dataDirectory, "analytics/analytics.duckdb"));
  for (const sql of [
    `SELECT id FROM (${definition}) WHERE name = 'b' AND id > 3`,
    `SELECT id FROM (${definition}) JOIN (SELECT unnest(['b', 'c']) AS name) USING (name)`,
  ]) {
    const [above, scan] = (await planOf(url, sql)).split("STREAMING_LIMIT");
    expect(above).toMatch(/FILTER|HASH_JOIN/);
    expect(scan).toContain("TABLE_SCAN");
    expect(scan).not.toContain("Filters");
  }
});

/** The SELECT with which the only table is published. */
async function definitionOf(analytics: string): Promise<string> {
  await using database = await openDatabase({});
  await using connection = await database.connect();
  await connection.run(`ATTACH '${analytics}' AS analytics (READ_ONLY)`);
  const state = await readAnalyticsState(connection, "analytics");
  return state!.tables[0]!.definition;
}

/** The plan of a query that ran, which also shows the conditions that a join passes on. */
async function planOf(url: string, sql: string): Promise<string> {
  await using database = await openDatabase({});
  await using connection = await database.connect();
  await connection.run(`ATTACH '${url}' AS "${databaseNames.remote("file", "file")}" (READ_ONLY)`);
  return JSON.stringify(await connection.rows(`EXPLAIN ANALYZE ${sql}`));
}
