import { databaseNames, tableId } from "../../analytics/mod.ts";
import { quoteIdentifier } from "../../duckdb/mod.ts";
import type { LivePlace } from "../live/prepare-live.ts";
import { columnsOfLive } from "./shipping.ts";

/**
 * Returns the columns of a statement, as DuckDB binds it over empty tables with the columns of the live ones. So an invalid
 * statement fails here, before its source runs anything.
 */
export async function bindLocally(
  { name, connection, tables, live }: LivePlace,
  sql: string,
  signal: AbortSignal,
): Promise<readonly { readonly name: string; readonly type: string }[]> {
  const database = quoteIdentifier(name);
  await connection.run(`ATTACH ':memory:' AS ${database}`);
  try {
    for (const source of new Set(tables.map((table) => table.source)))
      await connection.run(`CREATE SCHEMA ${database}.${quoteIdentifier(source)}`);
    for (const table of tables) {
      const own = [name, table.source, table.name].map(quoteIdentifier).join(".");
      const columns = columnsOfLive(live.get(tableId(table))!);
      const list = columns.map((column) => `${quoteIdentifier(column.name)} ${column.type}`);
      await connection.run(`CREATE TABLE ${own} (${list.join(", ")})`);
      if (table.viewName === null) continue;
      const view = [name, "main", table.viewName].map(quoteIdentifier).join(".");
      await connection.run(`CREATE VIEW ${view} AS SELECT * FROM ${own}`);
    }
    await connection.run(`USE ${database}`);
    const types = await connection.describe(sql, { signal });
    const { names, batches } = await connection.stream(sql, { signal });
    for await (const _batch of batches);
    return names.map((one, at) => ({ name: one, type: types[at]!.type }));
  } finally {
    await connection.run(`USE ${quoteIdentifier(databaseNames.analytics)}; DETACH ${database}`);
  }
}
