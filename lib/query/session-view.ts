import { databaseNames, type AnalyticsTable } from "../analytics/mod.ts";
import { quoteIdentifier, type Connection, type StatementOptions } from "../duckdb/mod.ts";

/** Creates the view of a table that is not a file, in the database of a session. */
export async function createSessionView(
  connection: Connection,
  table: AnalyticsTable,
  options: StatementOptions = {},
): Promise<void> {
  const schema = `${quoteIdentifier(databaseNames.session)}.${quoteIdentifier(table.source)}`;
  await connection.run(
    `CREATE SCHEMA IF NOT EXISTS ${schema};
     CREATE OR REPLACE VIEW ${schema}.${quoteIdentifier(table.name)} AS ${table.definition};`,
    options,
  );
}
