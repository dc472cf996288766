import { join } from "node:path";

import { AgnesError } from "../base/mod.ts";
import {
  databaseNames,
  digestObjects,
  tableId,
  type AnalyticsState,
  type AnalyticsTable,
} from "../analytics/mod.ts";
import { quoteIdentifier, quoteLiteral, type Connection } from "../duckdb/mod.ts";
import { checkFolders } from "./check-folders.ts";

/**
 * Attaches the file of the extract that holds a table.
 * @throws `extract_changed` when it defines something else than what was checked
 */
export async function attachExtract(
  connection: Connection,
  state: AnalyticsState,
  table: AnalyticsTable,
  signal: AbortSignal,
): Promise<void> {
  const name = databaseNames.extract(table.source);
  const { directory, digest } = state.sources.find(({ source }) => source === table.source)!;
  const path = quoteLiteral(join(directory, "extract.duckdb"));
  // Again, right before it is opened: opening a pipe never ends.
  await checkFolders(state, [table]);
  await connection.run(`ATTACH ${path} AS ${quoteIdentifier(name)} (READ_ONLY)`, { signal });
  if ((await digestObjects(connection, name)) === digest) return;
  await connection.run(`DETACH ${quoteIdentifier(name)}`);
  throw new AgnesError("extract_changed", { table: tableId(table) });
}
