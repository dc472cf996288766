import type { Schema } from "apache-arrow";

import { redactThrown } from "../../base/mod.ts";
import type { TableInfo } from "../../kit/mod.ts";
import type { SourceHandle } from "../connect.ts";
import { resultBatches } from "../read/result-batches.ts";
import { callerOptions, type WholeQueries } from "./live-table.ts";
import { checkResult, redactErrors, sourceBatches, type FileServices } from "./source-batches.ts";

/** The name of a result in errors. */
const RESULT = "the query";

/** Returns how a source runs whole queries of a table; null if it cannot. */
export function wholeQueries(
  services: FileServices,
  handle: Pick<SourceHandle, "connector" | "secrets">,
  table: TableInfo,
): WholeQueries | null {
  const { connector, secrets } = handle;
  const { query, statementSql } = connector;
  if (query === undefined || statementSql === undefined) return null;
  if (table.capabilities?.includes("query") === false) return null;
  const redacted = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw redactThrown(error, secrets);
    }
  };
  return {
    table,
    toSql: (statement, signal) => redacted(() => statementSql.call(connector, statement, { signal })),
    run: (sql: string, schema: Schema, signal, caller) =>
      redacted(async () => {
        const result = await query.call(connector, sql, { signal, ...callerOptions(caller) });
        const columns = schema.fields.map(({ name }) => String(name));
        checkResult(RESULT, columns, result.schema);
        const info = { name: RESULT, schema, primaryKey: [] };
        const batches = resultBatches(result, { signal });
        const read = { id: table.name, columns };
        return redactErrors(() => sourceBatches(services, batches, info, read, signal), handle);
      }),
  };
}
