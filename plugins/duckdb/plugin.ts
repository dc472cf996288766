import {
  definePlugin,
  type Batch,
  type ConnectContext,
  type QueryEstimate,
  type ReadResult,
  type ReadOptions,
  type SourceQueryOptions,
  type TableInfo,
} from "agnes/kit";

import { errors } from "./errors.ts";
import { duckdbOptions, type DuckDBOptions } from "./options.ts";
import { Source } from "./source.ts";
import { readQuery } from "./read-query.ts";
import { describeTables, statistics } from "./tables.ts";

/** Tables and views of another DuckDB database. */
export default definePlugin({
  name: "duckdb",
  version: "1.0.0",
  description: "Tables and views of another DuckDB database file",
  capabilities: ["discover", "read", "remote", "query", "metadata"],
  register: "all",
  options: duckdbOptions,
  secrets: {},
  errors,
  connect(context: ConnectContext<DuckDBOptions, Record<never, never>>) {
    const source = new Source(context);
    return {
      discover: async ({ signal }) => describeTables(source, context.options, signal),
      read: (table, readOptions) => read(source, table, readOptions),
      remote: () => ({ alias: context.source, extension: "duckdb", url: source.path, tokenEnv: "" }),
      query: (sql, { signal, parameters = {} }) => source.userQuery(sql, { signal, parameters }),
      estimate: (sql, { signal, parameters = {} }) => estimate(source, sql, { signal, parameters }),
      metadata: (tables, { signal }) => statistics(source, tables, signal),
      async health({ signal }) {
        const [version] = await source.rows("SELECT version() AS version", signal);
        return { ok: true, message: `DuckDB ${String(version!["version"])} can read ${source.path}` };
      },
    };
  },
});

async function* read(
  source: Source,
  table: TableInfo,
  options: ReadOptions,
): AsyncGenerator<Batch, ReadResult> {
  const { signal, batchRows } = options;
  const { batches } = await source.query(readQuery(source.name, table, options), { signal, batchRows });
  yield* batches;
  return {};
}

/** Returns the columns of a SELECT; DuckDB estimates no cost. */
async function estimate(
  source: Source,
  sql: string,
  options: Pick<SourceQueryOptions, "signal" | "parameters">,
): Promise<QueryEstimate> {
  const select = sql.replace(/;\s*$/, "");
  const { schema, batches } = await source.userQuery(`SELECT * FROM (${select}\n) LIMIT 0`, options);
  for await (const _batch of batches) break;
  return { schema };
}
